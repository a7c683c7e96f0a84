#!/usr/bin/env bash
# Screens the example patients against NCT03739814, writes the worksheets, shows screen, fill, screen again, and
# prescreens ten thousand generated patients.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
onstudy=.venv/bin/onstudy
out=demo
dates=(--on 2026-03-16 --therapy-start 2026-03-18T09:00)
rm -rf "$out"
mkdir -p "$out"

echo "1. Twelve invented patients (examples/*.json, FHIR R4), asked of the three cohorts of NCT03739814:"
echo
"$onstudy" screen NCT03739814 examples/*.json "${dates[@]}" --out "$out/screening.txt"
sed '/^$/q' "$out/screening.txt"
"$onstudy" screen NCT03739814 examples/*.json "${dates[@]}" --format html --out "$out/worksheets/"
"$onstudy" worksheet NCT03739814 --out "$out/worksheets/blank.html"
echo "   every criterion of every patient: $out/screening.txt"
echo "   eligibility worksheets to open and print: $out/worksheets/*.html"
echo

echo "2. Screen, fill, screen again. This record lacks a few things:"
echo
"$onstudy" screen NCT03739814 examples/data-missing.json "${dates[@]}" --todo "$out/todo.yaml" | sed -n '5,/^$/p'
echo "   what is open was written as a patient file with empty answers, $out/todo.yaml;"
echo "   filled in (scripts/demo-answers.yaml does that for you), it goes back with --add:"
echo
"$onstudy" screen NCT03739814 examples/data-missing.json "${dates[@]}" --add scripts/demo-answers.yaml | sed -n '5,/^$/p'

echo "3. The same trial asked of 10,000 invented patients:"
echo
"$onstudy" generate patients --n 10000 --store "$out/store"
"$onstudy" prescreen NCT03739814 --store "$out/store" --on 2026-03-16 --out "$out/prescreening" | sed '/^results in/,$d'
echo "   candidates, attrition, what is missing, what each limit costs: $out/prescreening/report.html"
echo

echo "4. Pages to find a trial, for patients and coordinators: make serve"
echo
echo "5. Your own file (a FHIR bundle, NDJSON, a patient file as docs/kinds.md describes it, or CSV):"
echo
echo "   $onstudy screen NCT03739814 YOUR_FILE --on \$(date +%F)"
