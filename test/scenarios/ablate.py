#!/usr/bin/env python3
"""Replays labelled recordings under changed conditions and prints one row of scores for each. Python 3.11+, standard library only.

  ablate.py --watchbill bin/watchbill --score score.py DIR [--only NAME ...]

DIR holds NAME.jsonl.gz and NAME.truth.json; score.py is the scorer that comes with the recordings. Conditions:
plain; names (alert names hashed); edges30, edges100 (that share of relations left out); text (no annotations, names hashed);
hold0 ... hold300 (every severity waits that many seconds for company); thin15 (that share of notifications lost);
no-SIGNAL (that signal left out of what alerts are weighed by). How the changed recordings differ from the plain ones is all in change()."""
import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile

CONDITIONS = ["plain", "names", "text", "edges30", "edges100", "hold0", "hold30", "hold60", "hold120", "hold300", "thin15",
              "no-time", "no-topology", "no-adjacency", "no-class", "no-age", "no-habit", "no-promise", "no-complaint", "no-split", "no-views", "no-changes", "no-company"]


def digest(s):
    return hashlib.sha256(s.encode()).hexdigest()[:10]


def change(condition, line):
    o = json.loads(line)
    if o["kind"] == "relation" and condition.startswith("edges"):
        if int(digest(json.dumps(o["body"], sort_keys=True)), 16) % 100 < int(condition[5:]):
            return None
    if o["kind"] == "alertmanager" and condition.startswith("thin"):
        if int(digest(json.dumps(o, sort_keys=True)), 16) % 100 < int(condition[4:]):
            return None
    if o["kind"] == "alertmanager" and condition in ("names", "text"):
        for a in o["body"]["alerts"]:
            a["labels"]["alertname"] = "a" + digest(a["labels"].get("alertname", ""))
            if condition == "text":
                a["annotations"] = {}
    return json.dumps(o)


def rewrite(src, dst, condition):
    with gzip.open(src, "rt", encoding="utf-8") as f, open(dst, "w", encoding="utf-8") as out:
        first = True
        for line in f:
            rules = {}
            if condition.startswith("hold"):
                rules = {"hold": {s: condition[4:] + "s" for s in ("critical", "error", "warning", "info")}}
            if condition.startswith("no-"):
                rules = {"ignore": [condition[3:]]}
            if first and rules:
                out.write(json.dumps({"at": json.loads(line)["at"], "kind": "config", "body": {"rules": {"correlation": rules}}}) + "\n")
            first = False
            line = change(condition, line)
            if line:
                out.write(line + "\n")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("--watchbill", required=True)
    p.add_argument("--score", required=True)
    p.add_argument("--only", nargs="*", default=CONDITIONS, choices=CONDITIONS)
    a = p.parse_args()
    names = sorted(n[:-len(".jsonl.gz")] for n in os.listdir(a.dir) if n.endswith(".jsonl.gz"))
    names = [n for n in names if os.path.exists(os.path.join(a.dir, n + ".truth.json"))]
    if not names:
        sys.exit(f"{a.dir}: no NAME.jsonl.gz with its NAME.truth.json")
    cols = [("B3", "b3"), ("B3inc", "b3_incident"), ("macro", "macro_b3"), ("match", "match_rate"), ("missA", "missed_alerts"), ("missI", "missed_incidents"),
            ("noise/d", "noise_incidents_per_day"), ("t50", "first_incident_median_s"), ("t95", "first_incident_p95_s"), ("AC@1", "ac1"), ("AC@3", "ac3"),
            ("abst+", "abstained_rightly"), ("probF", "problem_f1"), ("seenP", "seen_before_precision"), ("seenR", "seen_before_recall")]
    print("| condition | " + " | ".join(c for c, _ in cols) + " |\n|---" + "|---" * len(cols) + "|")
    for condition in a.only:
        with tempfile.TemporaryDirectory() as d:
            for n in names:
                rec = os.path.join(d, "rec.jsonl")
                rewrite(os.path.join(a.dir, n + ".jsonl.gz"), rec, condition)
                subprocess.run([a.watchbill, "replay", rec, "--output", os.path.join(d, n + ".json")], check=True, stdout=subprocess.DEVNULL)
                os.remove(rec)
            m = json.loads(subprocess.run([sys.executable, a.score, d, a.dir, "--json"], check=True, capture_output=True, text=True).stdout)["mean"]
        print(f"| {condition} | " + " | ".join(f"{m[k]:.3f}" if m[k] < 1 else f"{m[k]:.0f}" for _, k in cols) + " |", flush=True)


if __name__ == "__main__":
    main()
