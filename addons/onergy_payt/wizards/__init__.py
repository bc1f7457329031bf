from . import payt_answer_wizard, payt_connect_wizard
