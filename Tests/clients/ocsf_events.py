"""Checks events, a line of JSON each from standard input, against the schema of OCSF 1.3.0 as the package pydantic-ocsf has it.

The package has the classes, objects and the dictionary as https://github.com/ocsf/ocsf-schema publishes them; what those
files include from others (includes/classification.json, includes/occurrence.json, profiles/security_control.json) it leaves
out, and so the names of those attributes stand here. Prints one line for each fault; ends with 1 when there is one.
"""
import importlib.resources
import json
import re
import sys

REQUIRED = {"activity_id", "category_uid", "class_uid", "type_uid", "time"}
EVERY = REQUIRED | {"activity_name", "category_name", "class_name", "type_name", "count", "duration", "end_time",
                    "start_time", "timezone_offset"}
PROFILES = {"security_control": {
    "action", "action_id", "attacks", "authorizations", "confidence", "confidence_id", "confidence_score", "disposition",
    "disposition_id", "firewall_rule", "is_alert", "malware", "policy", "risk_details", "risk_level", "risk_level_id",
    "risk_score"}}

path = importlib.resources.files("ocsf") / "schemas/v1_3_0.json"
schema = json.loads(path.read_text())
dictionary = schema["dictionary"]["attributes"]
types = schema["dictionary"]["types"]["attributes"]
categories = schema["categories_meta"]["attributes"]
objects = schema["objects"]


def resolved(name, table):
    """A class or object with what it inherits."""
    own = table[name]
    whole = resolved(own["extends"], table) if own.get("extends") in table else {"attributes": {}, "profiles": []}
    attributes = dict(whole["attributes"])
    for key, value in own["attributes"].items():
        if not key.startswith("$"):
            attributes[key] = {**attributes.get(key, {}), **value}
    return {**whole, **own, "attributes": attributes,
            "constraints": own.get("constraints") or whole.get("constraints") or {},
            "profiles": list(whole.get("profiles", [])) + list(own.get("profiles", []))}


classes = {}
for name, event in schema["events"].items():
    whole = resolved(name, schema["events"])
    if "uid" in event and whole.get("category") in categories:
        classes[categories[whole["category"]]["uid"] * 1000 + event["uid"]] = whole


class Check:
    def __init__(self):
        self.faults = []

    def fault(self, where, words):
        self.faults.append(f"{where}: {words}")

    def plain(self, where, value, name):
        """A value of one of the dictionary's types."""
        kind = types[name]
        base = kind.get("type", name)
        wanted = {"string_t": str, "integer_t": int, "long_t": int, "float_t": (int, float), "boolean_t": bool,
                  "json_t": object}[base]
        if not isinstance(value, wanted) or (isinstance(value, bool) and base != "boolean_t"):
            return self.fault(where, f"{value!r} is no {name}")
        if base == "integer_t" and not -2**31 <= value < 2**31:
            self.fault(where, f"{value} does not fit an {name}")
        if "range" in kind and not kind["range"][0] <= value <= kind["range"][1]:
            self.fault(where, f"{value} is out of range")
        if "regex" in kind and not re.search(kind["regex"], value):
            self.fault(where, f"{value!r} does not look like an {name}")
        if "max_len" in kind and len(value) > kind["max_len"]:
            self.fault(where, f"{len(value)} characters are too long for an {name}")

    def attribute(self, where, value, name, own):
        known = dictionary[name]
        if known.get("is_array"):
            if not isinstance(value, list):
                return self.fault(where, "is no list")
            for index, item in enumerate(value):
                self.one(f"{where}[{index}]", item, known["type"], own, known)
        else:
            self.one(where, value, known["type"], own, known)

    def one(self, where, value, kind, own, known):
        if kind in objects:
            return self.object(where, value, kind)
        self.plain(where, value, kind)
        numbers = {**known.get("enum", {}), **own.get("enum", {})}
        if numbers and str(value) not in numbers:
            self.fault(where, f"{value!r} is none of {sorted(numbers)}")

    def object(self, where, value, name):
        if not isinstance(value, dict):
            return self.fault(where, f"is no {name}")
        if name == "object":
            return  # What a source has beside the schema.
        whole = resolved(name, objects)
        self.members(where, value, whole["attributes"], whole["constraints"])

    def members(self, where, value, attributes, constraints):
        for key, item in value.items():
            if key not in attributes:
                self.fault(f"{where}.{key}", "is not in the schema")
            else:
                self.attribute(f"{where}.{key}", item, key, attributes[key])
        for key, own in attributes.items():
            if own.get("requirement") == "required" and key not in value and "profile" not in own:
                self.fault(where, f"{key} is required")
        for key in constraints.get("at_least_one", []) and [constraints["at_least_one"]]:
            if not any(name in value for name in key):
                self.fault(where, f"has none of {key}")
        for key in constraints.get("just_one", []) and [constraints["just_one"]]:
            if sum(name in value for name in key) != 1:
                self.fault(where, f"has not just one of {key}")

    def event(self, where, event):
        whole = classes.get(event.get("class_uid"))
        if whole is None:
            return self.fault(where, f"there is no class {event.get('class_uid')}")
        attributes = {**{name: {} for name in EVERY}, **whole["attributes"]}
        for name in REQUIRED:
            attributes[name] = {**attributes[name], "requirement": "required"}
        profiles = event.get("metadata", {}).get("profiles", [])
        for profile in profiles:
            if profile not in whole["profiles"]:
                self.fault(where, f"{whole['caption']} has no profile {profile}")
            attributes = {**{name: {} for name in PROFILES.get(profile, ())}, **attributes}
        self.members(where, event, attributes, whole["constraints"])
        category = categories[whole["category"]]
        activity = attributes["activity_id"].get("enum", {}).get(str(event["activity_id"]), {}).get("caption")
        for key, wanted in [
            ("category_uid", category["uid"]), ("category_name", category["caption"]), ("class_name", whole["caption"]),
            ("type_uid", event["class_uid"] * 100 + event["activity_id"]),
            ("activity_name", event.get("activity_name") if event["activity_id"] == 99 else activity),
        ]:
            if event.get(key) != wanted:
                self.fault(where, f"{key} is {event.get(key)!r} and not {wanted!r}")
        if event.get("metadata", {}).get("version") != schema["version"]:
            self.fault(where, "metadata.version is another")


def main():
    check = Check()
    count = 0
    for count, line in enumerate(sys.stdin, 1):
        check.event(f"event {count}", json.loads(line))
    for fault in check.faults:
        print(fault)
    if not count:
        print("no event came")
    sys.exit(1 if check.faults or not count else 0)


main()
