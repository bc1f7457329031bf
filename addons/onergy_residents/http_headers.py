"""What every page of a resident tells browsers and robots."""

FRAME_HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-ancestors 'self'",
}

SECURITY_HEADERS = {
    **FRAME_HEADERS,
    # Odoo's robots.txt keeps robots from reading, not from listing an address that
    # somebody published, with its token.
    "X-Robots-Tag": "noindex, nofollow",
}
