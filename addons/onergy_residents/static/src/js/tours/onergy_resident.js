import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";

const step = (tab, content) => ({
    trigger: `#onergy_tab_${tab} a`,
    content,
    tooltipPosition: "bottom",
    run: "click",
    expectUnloadPage: true,
});

/**
 * A walk along the tabs, which a resident starts himself on the page Help.
 */
registry.category("web_tour.tours").add("onergy_resident", {
    url: "/my",
    steps: () => [
        step("data", _t("Click here. You see what we know about you and your home.")),
        step("account", _t("Here you change your e-mail address or your password.")),
        step("finance", _t("Here you find your advance, your bills and payments.")),
        step("requests", _t("Here you ask us something, and read our answer.")),
        step("home", _t("Back to the beginning. Here you see what you have to do.")),
    ],
});
