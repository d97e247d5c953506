"""Presidio's pattern recognisers alone, without a language model, on the corpus."""

import inspect
import logging
import time

logging.disable(logging.WARNING)
import presidio_analyzer.predefined_recognizers as predefined  # noqa: E402
from presidio_analyzer import PatternRecognizer  # noqa: E402

# What it calls the kinds that both know.
ENTITIES = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "credit-card", "IBAN_CODE": "iban", "US_SSN": "us-ssn", "DE_TAX_ID": "de-steuer-id",
    "ES_NIF": "es-dni", "ES_NIE": "es-dni", "IT_FISCAL_CODE": "it-codice-fiscale", "PL_PESEL": "pl-pesel", "SE_PERSONNUMMER": "se-personnummer",
    "FI_PERSONAL_IDENTITY_CODE": "fi-hetu", "IP_ADDRESS": "ip-address", "MAC_ADDRESS": "mac-address", "US_PASSPORT": "passport", "DE_PASSPORT": "passport",
    "ES_PASSPORT": "passport", "IT_PASSPORT": "passport", "UK_PASSPORT": "passport",
}


def recognizers():
    for _, kind in sorted(vars(predefined).items()):
        if inspect.isclass(kind) and (issubclass(kind, PatternRecognizer) or kind.__name__ == "PhoneRecognizer"):
            recognizer = kind()
            if any(entity in ENTITIES for entity in recognizer.supported_entities):
                yield recognizer


def analyse(texts):
    """For each text the findings as (begin, end, kind, score) in bytes; and the seconds of CPU that it took."""
    all_of_them, findings = list(recognizers()), []
    start = time.process_time()
    for text in texts:
        found = []
        for recognizer in all_of_them:
            for result in recognizer.analyze(text, recognizer.supported_entities, None) or []:
                kind = ENTITIES.get(result.entity_type)
                if kind:
                    found.append((len(text[: result.start].encode()), len(text[: result.end].encode()), kind, result.score))
        findings.append(found)
    return findings, time.process_time() - start
