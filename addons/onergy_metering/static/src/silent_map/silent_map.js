import {Component, useState} from "@odoo/owl";
import {registry} from "@web/core/registry";
import {standardFieldProps} from "@web/views/fields/standard_field_props";
import {useService} from "@web/core/utils/hooks";

const STEPS = {ArrowLeft: -1, ArrowRight: 1};

/**
 * The addresses of a complex, street by street, each with how long its meter has been
 * silent. Arrow keys walk along the addresses, Enter opens the meter.
 */
export class SilentMap extends Component {
    static template = "onergy_metering.SilentMap";
    static props = {...standardFieldProps};

    setup() {
        this.action = useService("action");
        this.state = useState({onlySilent: false});
    }

    get map() {
        return (
            this.props.record.data[this.props.name] || {
                legend: [],
                streets: [],
                texts: {},
            }
        );
    }

    get streets() {
        if (!this.state.onlySilent) {
            return this.map.streets;
        }
        return this.map.streets
            .map((street) => ({
                ...street,
                homes: street.homes.filter((home) => home.silent),
            }))
            .filter((street) => street.homes.length);
    }

    open(home) {
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: home.model,
            res_id: home.id,
            views: [[false, "form"]],
        });
    }

    onKeydown(ev) {
        const step = STEPS[ev.key];
        if (!step) {
            return;
        }
        const homes = [...ev.currentTarget.querySelectorAll(".o_onergy_home")];
        const next = homes[homes.indexOf(document.activeElement) + step];
        if (next) {
            next.focus();
            ev.preventDefault();
        }
    }
}

registry.category("fields").add("onergy_silent_map", {
    component: SilentMap,
    supportedTypes: ["json"],
});
