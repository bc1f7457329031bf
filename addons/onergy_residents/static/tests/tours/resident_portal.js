import {registry} from "@web/core/registry";

/**
 * A resident looks around and changes his phone number. Selectors hold no text: the
 * pages are in the language of the resident.
 */
registry.category("web_tour.tours").add("onergy_resident_portal", {
    url: "/my",
    steps: () => [
        {
            content: "The advance and the balance are there without a click",
            trigger: "#onergy_glance_advance, #onergy_glance_balance",
        },
        {
            content: "Open the page with the data",
            trigger: "#onergy_tab_data a",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "Go where the phone number can be changed",
            trigger: "a[href*='/my/onergy-account#onergy_phone']",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "Fill in a number that is too short",
            trigger: "#onergy_phone_number",
            run: "edit 12",
        },
        {
            content: "Save",
            trigger: "#onergy_phone form button[type=submit]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The error belongs to the field, for screen readers too",
            trigger:
                "#onergy_phone_number[aria-invalid=true][aria-describedby~=onergy_phone_number_error]",
            run: "edit 0612345678",
        },
        {
            content: "Save again",
            trigger: "#onergy_phone form button[type=submit]",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "It is said that it was saved",
            trigger: "#onergy_phone [role=status]",
        },
        {
            content: "Look at the password while typing it",
            trigger: "#onergy_old",
            run: "edit something",
        },
        {
            content: "The button shows it",
            trigger: "#onergy_old + .o_show_password",
            run: "click",
        },
        {
            content: "It can be read",
            trigger: "#onergy_old[type=text]",
        },
        {
            content: "Open the page with the bills",
            trigger: "#onergy_tab_finance a",
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "The tab is marked as the open one",
            trigger: "#onergy_tab_finance a[aria-current=page]",
        },
    ],
});
