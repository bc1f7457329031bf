import {loadBundle} from "@web/core/assets";
import {registry} from "@web/core/registry";
import {Interaction} from "@web/public/interaction";

const COLOR = "#0b5c8a";
const COLOR_BEFORE = "#c46210";
const COLOR_PEERS = "#1f2933";

/**
 * Draws the use of heat. The figures come with the page, and stand in the table
 * below the chart as well.
 */
export class HeatingChart extends Interaction {
    static selector = ".o_onergy_chart";

    async willStart() {
        await loadBundle("web.chartjs_lib");
    }

    start() {
        this.data = JSON.parse(this.el.dataset.chart);
        const canvas = this.el.querySelector("canvas");
        const chart = new window.Chart(canvas, this.getConfig());
        this.registerCleanup(() => chart.destroy());
    }

    getConfig() {
        const {type, labels, before, peers} = this.data;
        const datasets = [this.getDataset()];
        if (before.some((value) => value !== null)) {
            datasets.push(this.getDatasetBefore(type));
        }
        if (peers.some((value) => value !== null)) {
            datasets.push(this.getDatasetPeers());
        }
        return {
            type,
            data: {labels, datasets},
            options: this.getOptions(),
        };
    }

    getDataset() {
        const {type, label, values, estimated} = this.data;
        return {
            label,
            data: values,
            borderColor: COLOR,
            // Estimated bars are white inside, estimated points open circles.
            backgroundColor: estimated.map((is) => (is ? "#fff" : COLOR)),
            borderWidth: 2,
            pointStyle: type === "line" ? "circle" : "rect",
            pointRadius: estimated.map((is) => (is ? 4 : 0)),
            pointHitRadius: 12,
            pointBackgroundColor: "#fff",
            tension: 0.2,
        };
    }

    getDatasetBefore(type) {
        const {labelBefore, before} = this.data;
        return {
            label: labelBefore,
            data: before,
            borderColor: COLOR_BEFORE,
            backgroundColor: type === "line" ? COLOR_BEFORE : "#f0c9a6",
            borderWidth: type === "line" ? 1.5 : 1,
            // Dashes tell the lines apart without colour.
            borderDash: [5, 4],
            pointStyle: type === "line" ? "line" : "rect",
            pointRadius: 0,
            pointHitRadius: 12,
            tension: 0.2,
        };
    }

    /** Marks across the bars: an average of many homes, no course of one. */
    getDatasetPeers() {
        const {labelPeers, peers} = this.data;
        return {
            type: "line",
            label: labelPeers,
            data: peers,
            showLine: false,
            borderColor: COLOR_PEERS,
            backgroundColor: COLOR_PEERS,
            pointStyle: "rectRot",
            pointRadius: 6,
            pointHitRadius: 12,
            order: -1,
        };
    }

    getOptions() {
        const {unit, digits, estimated, estimatedText} = this.data;
        const format = new Intl.NumberFormat(document.documentElement.lang || "nl", {
            maximumFractionDigits: digits,
        });
        const reduced = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
        return {
            maintainAspectRatio: false,
            animation: reduced ? false : undefined,
            interaction: {mode: "index", intersect: false},
            plugins: {
                legend: {
                    position: "bottom",
                    labels: {
                        font: {size: 15},
                        usePointStyle: true,
                        boxHeight: 8,
                        sort: (one, other) => one.datasetIndex - other.datasetIndex,
                    },
                },
                tooltip: {
                    callbacks: {
                        label: ({dataset, parsed, dataIndex, datasetIndex}) => {
                            const mark =
                                datasetIndex === 0 && estimated[dataIndex]
                                    ? ` (${estimatedText})`
                                    : "";
                            return `${dataset.label}: ${format.format(parsed.y)} ${unit}${mark}`;
                        },
                    },
                },
            },
            scales: {
                x: {
                    grid: {display: false},
                    ticks: {
                        maxTicksLimit: 12,
                        maxRotation: 0,
                        autoSkipPadding: 12,
                        font: {size: 13},
                    },
                },
                y: {
                    beginAtZero: true,
                    title: {display: true, text: unit},
                    ticks: {
                        callback: (value) => format.format(value),
                        font: {size: 13},
                    },
                },
            },
        };
    }
}

registry
    .category("public.interactions")
    .add("onergy_metering.heating_chart", HeatingChart);
