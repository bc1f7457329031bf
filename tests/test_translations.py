"""Dutch is complete, and the templates hold the terms the code really has."""

import polib
import pytest
from support import load_dev

ADDONS = load_dev().our_addons()[0]


def keys(catalogue):
    return {(entry.msgid, entry.msgctxt or "") for entry in catalogue}


@pytest.fixture(scope="module")
def database(dev, postgres):
    template = dev.ensure_template(postgres, ADDONS)
    with dev.temporary_database(postgres, template, "i18n") as name:
        yield name


@pytest.mark.parametrize("addon", ADDONS)
def test_every_term_has_its_dutch(dev, postgres, database, addon, tmp_path):
    exported = tmp_path / "terms.pot"
    dev.export_terms(postgres, database, addon, exported)
    terms = keys(polib.pofile(str(exported)))
    assert terms, "the addon has no terms at all: was it exported?"
    folder = dev.ADDONS / addon / "i18n"
    template = keys(polib.pofile(str(folder / f"{addon}.pot")))
    assert template == terms, "run ./dev i18n"
    dutch = polib.pofile(str(folder / "nl.po"))
    assert keys(dutch) == terms, "run ./dev i18n"
    missing = [entry.msgid for entry in dutch if not entry.translated()]
    assert not missing, f"{len(missing)} terms without Dutch: {missing[:5]}"
