import {Interaction} from "@web/public/interaction";
import {registry} from "@web/core/registry";

/**
 * Says at once whether the reading that a resident types fits the one before. The
 * server judges it again when it is sent.
 */
export class ReadingEntry extends Interaction {
    static selector = ".o_onergy_reading_entry";
    dynamicContent = {
        "input[name=value]": {"t-on-input": this.onInput},
        ".o_onergy_reading_hint": {
            "t-out": () => this.text,
            "t-att-class": () => ({
                "text-danger": this.isOdd,
                "text-success": this.text && !this.isOdd,
            }),
        },
    };

    setup() {
        this.text = "";
        this.isOdd = false;
        this.limits = JSON.parse(this.el.dataset.limits);
    }

    onInput(ev) {
        const value = this.read(ev.target.value);
        const {last, most, texts} = this.limits;
        this.isOdd = value !== null && (value < last || value > most);
        if (value === null) {
            this.text = "";
        } else if (value < last) {
            this.text = texts.low;
        } else if (value > most) {
            this.text = texts.high;
        } else {
            const use = (value - last).toLocaleString(document.documentElement.lang, {
                maximumFractionDigits: 3,
            });
            this.text = texts.fits.replace("#", use);
        }
    }

    /** A number as people type it, or null; as the server reads it. */
    read(text) {
        let number = text.replace(/\s/g, "");
        if (number.includes(",")) {
            number = number.replaceAll(".", "").replace(",", ".");
        }
        return /^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(number) ? Number(number) : null;
    }
}

registry
    .category("public.interactions")
    .add("onergy_metering.reading_entry", ReadingEntry);
