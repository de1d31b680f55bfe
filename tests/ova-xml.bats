#!/usr/bin/env bats
# ova-xml, judged by Python's XML parser and by the table of fields that each xapi release requires.

load common

# check_fields FILE: every record of FILE has every field that any release requires, of the right type.
check_fields() {
  python3 - "$1" "$ROOT/xva-pack/tests/ova-fields.tsv" <<'PY'
import sys, xml.etree.ElementTree as ET

def value(e):
    if len(e) == 0:
        return e.text or ""
    child = e[0]
    if child.tag == "struct":
        return {m.find("name").text: value(m.find("value")) for m in child}
    if child.tag == "array":
        return [value(v) for v in child.find("data")]
    assert child.tag == "boolean" and child.text in "01", child.tag
    return child.text == "1"

document = value(ET.parse(sys.argv[1]).getroot())
header, *rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[2])]
releases = header[3:]
python = {"Bool": bool, "Map": dict, "Set": list}
classes = {}
for o in document["objects"]:
    classes.setdefault(o["class"], []).append(o["snapshot"])
checked = 0
for klass, field, kind, *columns in rows:
    for release, needed in zip(releases, columns):
        for record in classes.get(klass, []):
            if needed == "R":
                assert field in record, f"{klass}.{field} is missing: {release} requires it"
                found = record[field]
                assert isinstance(found, python.get(kind, str)), f"{klass}.{field}: {found!r} is no {kind}"
                assert kind != "Int" or int(found) is not None
                checked += 1
assert checked > 300, checked
assert all(k in document["version"] for k in "hostname date product_version product_brand build_number xapi_major xapi_minor".split())
assert document["version"]["export_vsn"] == "2"
PY
}

# field FILE CLASS FIELD: that field of every object of CLASS, a line each.
field() {
  python3 - "$@" <<'PY'
import sys, xml.etree.ElementTree as ET
for o in ET.parse(sys.argv[1]).getroot().iterfind(".//data/value/struct"):
    members = {m.find("name").text: m.find("value") for m in o}
    if "".join(members["class"].itertext()) == sys.argv[2]:
        for m in members["snapshot"].iterfind("struct/member"):
            if m.find("name").text == sys.argv[3]:
                print("".join(m.find("value").itertext()))
PY
}

@test "every field that any release requires is there" {
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G > bios.xml
  check_fields bios.xml
  ova-xml --name a --memory 1G --vcpus 1 --firmware uefi --secure-boot --disk Ref:000=1G --disk Ref:001=2G \
    --network one --network two --network one --description d > uefi.xml
  check_fields uefi.xml
  [ "$(field uefi.xml VIF device)" = $'0\n1\n2' ]
  [ "$(field uefi.xml network name_label)" = $'one\ntwo' ]
  [ "$(field uefi.xml VBD userdevice)" = $'0\n1' ]
  [ "$(field uefi.xml VBD bootable)" = $'1\n0' ]
}

@test "sizes are rounded up to whole MiB" {
  ova-xml --name a --memory 2000000 --vcpus 1 --firmware bios --disk Ref:000=1 --disk Ref:001=1048577 \
    --disk Ref:002=10G > a.xml
  [ "$(field a.xml VDI virtual_size)" = $'1048576\n2097152\n10737418240' ]
  [ "$(field a.xml VM memory_static_max)" = 2097152 ]
  fails_with 2 ova-xml --name a --memory 2 --vcpus 1 --firmware bios --disk Ref:000=1
  [[ $stderr == *"2G is 2 GiB"* ]]
}

@test "a hostile name comes through whole" {
  name=$'<value>&lt;"\'\t]]>\n\r\u00fc \xf0\x9f\x90\xa7</value>'
  ova-xml --name "$name" --memory 1G --vcpus 1 --firmware bios --disk "Ref:000=1G,name=$name" --network "$name" > a.xml
  check_fields a.xml
  for class in VM VDI network; do
    [ "$(field a.xml $class name_label | od -c)" = "$(printf '%s\n' "$name" | od -c)" ]
  done
}

@test "the same machine gives the same bytes, another one other UUIDs" {
  machine=(--memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G)
  ova-xml --name a "${machine[@]}" > 1.xml
  ova-xml --name a "${machine[@]}" > 2.xml
  ova-xml --name b "${machine[@]}" > 3.xml
  ova-xml --name a "${machine[@]}" --random-uuids > 4.xml
  cmp 1.xml 2.xml
  uuids=$(for n in 1 3 4; do for class in VM SR VDI VBD; do field $n.xml $class uuid; done; done)
  [ "$(sort -u <<< "$uuids" | wc -l)" -eq 12 ]
  run ! grep -vE '^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' <<< "$uuids"
}

@test "firmware and secure boot are in the platform" {
  ova-xml --name a --memory 1G --vcpus 1 --firmware uefi --secure-boot --disk Ref:000=1G > a.xml
  [[ "$(field a.xml VM platform)" == *device-modelqemu-upstream-uefisecureboottrue* ]]
  [[ "$(field a.xml VM HVM_boot_params)" == *firmwareuefi* ]]
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G > a.xml
  [[ "$(field a.xml VM platform)" == *device-modelqemu-upstream-compat* ]]
  [[ "$(field a.xml VM platform)" != *secureboot* ]]
  [[ "$(field a.xml VM HVM_boot_params)" == *firmwarebios* ]]
}

@test "nonsense is wrong usage, in one line, and prints no metadata" {
  good=(--name a --memory 1G --vcpus 1 --firmware uefi --disk Ref:000=1G)
  fails_with 2 ova-xml "${good[@]}" --disk Ref:000=2G
  [ -z "$output" ]
  fails_with 2 ova-xml "${good[@]}" --disk Ref:001=0
  fails_with 2 ova-xml "${good[@]}" --disk ../x=1G
  fails_with 2 ova-xml "${good[@]}" --disk OpaqueRef:NULL=1G
  [[ $stderr == *"has a name that xapi keeps for itself: expected such as Ref:000"* ]]
  [ -z "$output" ]
  fails_with 2 ova-xml "${good[@]}" --disk "$(printf 'x%.0s' {1..83})=1G"
  fails_with 2 ova-xml "${good[@]}" --network ''
  fails_with 2 ova-xml --name a --memory 1G --vcpus 0 --firmware bios --disk Ref:000=1G
  fails_with 2 ova-xml --name a --memory 0 --vcpus 1 --firmware bios --disk Ref:000=1G
  fails_with 2 ova-xml --name a --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G --secure-boot
  fails_with 2 ova-xml --name a --memory 1G --vcpus 1 --firmware bios
  fails_with 2 ova-xml --name $'a\eb' --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G
  [ -z "$output" ]
  fails_with 2 ova-xml --name $'a\xff' --memory 1G --vcpus 1 --firmware bios --disk Ref:000=1G
}

@test "the examples in the help can be pasted from a terminal of 80 columns, and work" {
  script -qec "stty rows 24 cols 80; ova-xml --help" /dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g' >help
  grep -q '^ *--cores-per-socket' help
  sed '1,/^Examples:/d; /^Exit status/,$d' help >examples.bash
  [ "$(grep -c '^  ova-xml ' examples.bash)" -ge 3 ]
  run ! grep -E '^.{81}' examples.bash
  truncate -s 20G a.raw
  truncate -s 500G b.raw
  for disk in a b; do
    echo "{\"virtual_size\":$(stat -c %s $disk.raw),\"cluster_bits\":20,\"data_clusters\":[]}" >$disk.json
  done
  bash -euo pipefail examples.bash
  xva-unpack --verify vm.xva >/dev/null
  [ "$(field ova.xml VM name_label)" = db ]
}
