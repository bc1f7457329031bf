from odoo.exceptions import AccessError, MissingError, UserError
from odoo.http import Controller, content_disposition, request, route


class OnergyLetters(Controller):
    @route(
        "/onergy/letters/<int:wizard_id>",
        type="http",
        auth="user",
        methods=["GET"],
        website=True,
        multilang=False,
        sitemap=False,
    )
    def access_letters(self, wizard_id):
        """Download the letters that the invitation wizard has prepared.

        A GET that writes, for a download is a link. It does what its user has just
        confirmed in the wizard, once, and the answer is his alone: a forged link is of
        no use to a third party.
        """
        wizard = request.env["onergy.access.invite"].browse(wizard_id)
        try:
            wizard.check_access("read")
            pdf = wizard._render_letters()
        except (AccessError, MissingError):
            return request.not_found()
        except UserError as error:
            response = request.render(
                "http_routing.http_error",
                {"status_code": request.env._("No letters"), "status_message": error},
            )
            response.status_code = 410  # Gone
            return response
        name = request.env._("letters")
        return request.make_response(
            pdf,
            headers=[
                ("Content-Type", "application/pdf"),
                ("Content-Disposition", content_disposition(f"{name}-{wizard_id}.pdf")),
                # Passwords on paper: nothing in between keeps a copy.
                ("Cache-Control", "no-store, private"),
            ],
        )
