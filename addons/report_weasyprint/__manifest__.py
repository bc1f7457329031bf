{
    "name": "WeasyPrint PDF Reports",
    "summary": "Print QWeb PDF reports with WeasyPrint instead of wkhtmltopdf",
    "version": "19.0.1.0.0",
    "category": "Reporting",
    "license": "LGPL-3",
    "author": "Onergy",
    "website": "https://github.com/onergy/onergy-residents",
    "development_status": "Beta",
    "depends": ["base_setup", "web"],
    "external_dependencies": {"python": ["weasyprint>=70"]},
    "data": [
        "views/ir_actions_report_views.xml",
        "views/report_templates.xml",
        "views/res_config_settings_views.xml",
    ],
}
