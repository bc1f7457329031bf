import {registry} from "@web/core/registry";
import {Interaction} from "@web/public/interaction";

/**
 * Shows the button that starts the walk along the pages; without JavaScript the page
 * Help explains the same in words.
 */
export class HelpTour extends Interaction {
    static selector = ".o_onergy_start_tour";
    dynamicContent = {
        _root: {
            "t-on-click": () => odoo.startTour("onergy_resident", {mode: "manual"}),
        },
    };

    start() {
        this.el.classList.remove("d-none");
    }
}

registry.category("public.interactions").add("onergy_residents.help_tour", HelpTour);
