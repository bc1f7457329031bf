SCOPE = "auth_signup.invitation_scope"
SCOPE_BEFORE = "onergy_residents.invitation_scope_before"


def pre_init_hook(env):
    """Remember who could sign up: only who is invited can with this addon."""
    params = env["ir.config_parameter"]
    params.set_param(SCOPE_BEFORE, params.get_param(SCOPE) or "none")


def uninstall_hook(env):
    """Put back who could sign up before."""
    params = env["ir.config_parameter"]
    before = params.get_param(SCOPE_BEFORE)
    if before:
        params.set_param(SCOPE, False if before == "none" else before)
        params.set_param(SCOPE_BEFORE, False)
