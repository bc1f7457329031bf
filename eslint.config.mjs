import {createRequire} from "node:module";
import process from "node:process";

// The linters live outside the checkout's root (.dev/node); NODE_PATH names them.
const require = createRequire(process.env.NODE_PATH + "/");
const js = require("@eslint/js");
const globals = require("globals");

export default [
    js.configs.recommended,
    {
        languageOptions: {
            ecmaVersion: 2024,
            sourceType: "module",
            globals: {...globals.browser, odoo: "readonly", luxon: "readonly", Chart: "readonly"},
        },
        rules: {
            eqeqeq: "error",
            "no-console": "error",
            "no-var": "error",
            "prefer-const": "error",
        },
    },
];
