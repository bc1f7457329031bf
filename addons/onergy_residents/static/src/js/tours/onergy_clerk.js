import {_t} from "@web/core/l10n/translation";
import {registry} from "@web/core/registry";

const menu = (name) => `.o_menu_sections [data-menu-xmlid='onergy_residents.${name}']`;

/**
 * What a new colleague sees at the first login: the work of today, a request, and
 * where residents are found.
 */
registry.category("web_tour.tours").add("onergy_clerk", {
    url: "/odoo/onergy-today",
    steps: () => [
        {
            trigger: ".o_kanban_record:not(.o_kanban_ghost)",
            content: _t("Your day starts here. Each number opens its list: try one."),
            tooltipPosition: "bottom",
            run: "click",
        },
        {
            trigger: menu("menu_onergy_requests"),
            content: _t(
                "All questions of residents, and when each has to be answered.",
            ),
            tooltipPosition: "bottom",
            run: "click",
        },
        {
            trigger: menu("menu_onergy_residents"),
            content: _t(
                "Search anybody here by name, address, customer number or meter.",
            ),
            tooltipPosition: "bottom",
            run: "click",
        },
    ],
});
