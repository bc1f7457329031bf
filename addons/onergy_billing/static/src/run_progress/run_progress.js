import {registry} from "@web/core/registry";
import {
    ProgressBarField,
    progressBarField,
} from "@web/views/fields/progress_bar/progress_bar_field";

import {onWillUnmount} from "@odoo/owl";

const INTERVAL = 3000;
const BUSY_STATES = ["calculating", "posting", "queued", "running"];

/**
 * A progress bar that moves by itself while the job is busy in the background.
 *
 * The record is read again every few seconds, unless somebody is typing in it.
 */
export class RunProgressField extends ProgressBarField {
    setup() {
        super.setup();
        const timer = setInterval(() => this.refresh(), INTERVAL);
        onWillUnmount(() => clearInterval(timer));
    }

    get isBusy() {
        const {state, is_paused: isPaused} = this.props.record.data;
        return BUSY_STATES.includes(state) && !isPaused;
    }

    async refresh() {
        const {record} = this.props;
        if (this.isBusy && record.resId && !(await record.isDirty())) {
            await record.load();
        }
    }
}

registry.category("fields").add("onergy_run_progress", {
    ...progressBarField,
    component: RunProgressField,
});
