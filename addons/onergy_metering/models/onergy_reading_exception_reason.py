from odoo import api, models

#: Reasons that go away by themselves once meters and placements are put right.
RETRYABLE = (
    "unknown_meter",
    "ambiguous_meter",
    "not_installed",
    "inactive_meter",
    "unit_mismatch",
    "future",
)


class OnergyReadingException(models.Model):
    """What can be wrong with a row or a day, and what to do about it."""

    _inherit = "onergy.reading.exception"

    @api.depends("reason")
    def _compute_remedy(self):
        remedies = {code: remedy for code, _l, remedy in self._get_reason_texts()}
        for record in self:
            record.remedy = remedies.get(record.reason, "")

    @api.depends("reason", "moment", "value")
    def _compute_retryable(self):
        for record in self:
            record.retryable = record.reason in RETRYABLE and bool(record.moment)

    @api.depends("reason", "meter_key")
    def _compute_display_name(self):
        labels = dict(self._get_reasons())
        for record in self:
            record.display_name = " – ".join(
                filter(None, [record.meter_key, labels.get(record.reason)])
            )

    @api.model
    def _get_reasons(self):
        return [(code, label) for code, label, _remedy in self._get_reason_texts()]

    @api.model
    def _get_reason_texts(self):
        """(code, what is wrong, what to do about it)"""
        _ = self.env._
        fix_file = _("Ask for a correct file, or correct the profile; import it again.")
        look_at_use = _("Compare with the days around it; ask the resident if need be.")
        check_meter = _("Compare with the meter and the readings around it.")
        return [
            (
                "unknown_meter",
                _("Unknown meter"),
                _("Register the meter, or correct its number; then try again."),
            ),
            (
                "ambiguous_meter",
                _("The number fits two meters"),
                _("Give one of them another M-Bus id or DevEUI; then try again."),
            ),
            (
                "not_installed",
                _("The meter hung nowhere on that day"),
                _("Complete the placements of the meter; then try again."),
            ),
            (
                "inactive_meter",
                _("The meter is archived"),
                _("Restore the meter if it is in use; then try again."),
            ),
            (
                "unit_mismatch",
                _("Another unit than the meter was built with"),
                _("Check the unit of the meter or in the profile; then try again."),
            ),
            (
                "future",
                _("Lies in the future"),
                _("Check the clock of the gateway and the time zone of the profile."),
            ),
            ("conflict", _("Another value is known for this moment"), check_meter),
            ("decrease", _("Lower than the reading before"), check_meter),
            ("above_next", _("Higher than the reading after"), check_meter),
            ("negative", _("Below zero"), check_meter),
            (
                "status_error",
                _("The meter reports an error"),
                _("Have the meter looked at. Accept the value if it is right."),
            ),
            (
                "status_invalid",
                _("The meter says that the value is invalid"),
                _("Have the meter looked at; estimate or enter a reading."),
            ),
            ("bad_row", _("The line cannot be read"), fix_file),
            ("bad_date", _("Not a date or time"), fix_file),
            (
                "ambiguous_time",
                _("The hour that is doubled in October"),
                _("Choose in the profile which of the two hours is meant."),
            ),
            (
                "nonexistent_time",
                _("The hour that does not exist in March"),
                _("Check the time zone of the profile."),
            ),
            ("bad_number", _("Not a number"), fix_file),
            ("missing_value", _("There is no value"), fix_file),
            ("missing_column", _("The line is too short"), fix_file),
            ("missing_key", _("There is no meter number"), fix_file),
            ("missing_unit", _("There is no unit"), fix_file),
            (
                "unknown_unit",
                _("Unknown unit"),
                _("Add the name of the unit to the profile; import again."),
            ),
            (
                "unknown_register",
                _("Unknown register"),
                _("Add the name of the register to the profile; import again."),
            ),
            (
                "unknown_status",
                _("Unknown status"),
                _("Add the status to the profile; import again."),
            ),
            ("bad_hex", _("Not a telegram in hexadecimal"), fix_file),
            ("bad_frame", _("Not a complete M-Bus telegram"), fix_file),
            ("bad_checksum", _("The checksum of the telegram is wrong"), fix_file),
            ("bad_record", _("The telegram holds a broken record"), fix_file),
            (
                "encrypted",
                _("The telegram is encrypted"),
                _("Enter the key of the meter; import again."),
            ),
            (
                "wrong_key",
                _("The key of the meter does not fit"),
                _("Correct the key of the meter; import again."),
            ),
            (
                "compact_frame",
                _("Short telegram without its layout"),
                _("Have the gateway send full telegrams."),
            ),
            (
                "proprietary",
                _("Telegram in the maker's own format"),
                _("Have the gateway decode it, or use a file of the maker's software."),
            ),
            (
                "unsupported",
                _("Kind of telegram that is not supported"),
                _("Have the gateway send standard telegrams."),
            ),
            (
                "vee_power",
                _("More than the connection can draw"),
                _("Compare with the meter; a digit or the unit may be wrong."),
            ),
            ("vee_high", _("Much more use than expected"), look_at_use),
            (
                "vee_ratio",
                _("Use is off by a factor of units"),
                _("Check the unit and the decimal mark; was the meter exchanged?"),
            ),
            ("vee_low", _("Much less use than expected"), look_at_use),
            (
                "vee_stuck",
                _("The energy register stands still while water flows"),
                _("Have the meter looked at; estimate the days until then."),
            ),
            (
                "vee_still",
                _("No use although it is cold"),
                _("Is the dwelling empty? Then mute the rule; else look at the meter."),
            ),
            (
                "vee_delta_t",
                _("Energy and volume do not fit"),
                _("Check units and decimals of both registers, and the sensors."),
            ),
            (
                "vee_gap",
                _("No readings for days; the days in between are estimated"),
                _("Fetch the missing readings, or accept the estimate."),
            ),
            (
                "vee_estimated",
                _("Estimated for too long"),
                _("Have the meter read on the spot."),
            ),
            (
                "vee_late",
                _("The reading is old"),
                _("Check the clock and the connection of the gateway."),
            ),
            (
                "vee_status",
                _("The meter reports a fault with its reading"),
                _("Have the meter looked at; accept the reading if it is right."),
            ),
            (
                "vee_exchange",
                _("No reading of the day the meter was hung or taken down"),
                _("Enter the start or end reading on the placement."),
            ),
            (
                "vee_sum",
                _("The building's meter and its dwellings do not add up"),
                _(
                    "Look for a meter that counts wrong, an empty dwelling that uses "
                    "heat, or losses between the meters."
                ),
            ),
            (
                "old_unit",
                _("From before the unit of the meter changed"),
                _("Accept it if it is right; it is kept in the unit it came in."),
            ),
            (
                "no_total",
                _("The telegram holds no valid total"),
                _("Have the meter looked at."),
            ),
        ]
