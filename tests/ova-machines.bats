#!/usr/bin/env bats
# The machines that people run, as ova-xml describes them: what xe would show of each after its import, by a reader of its own.

load common

as_xe() { python3 "$ROOT/tests/ova_as_xe.py" "$@"; }

# recipe WORD: the indented commands of xva-pack/README.md of which the first has WORD in it, up to the next text.
recipe() {
  awk -v word="$1" '/^    / { if (!block) wanted = index($0, word); block = 1; if (wanted) print; next } { block = 0; wanted = 0 }' \
    "$ROOT/xva-pack/README.md"
}

# shows FILE EXPECTED...: every EXPECTED is a line of what xe would show.
shows() {
  as_xe "$1" >shown
  local line
  for line in "${@:2}"; do
    grep -qxF -- "$line" shown || { echo "not shown: $line"; cat shown; return 1; }
  done
}

machine=(--name a --memory 1G --vcpus 4 --firmware uefi --disk Ref:000=1G)

@test "the machines of xva-pack/README.md are the ones that they are called" {
  recipe "ova-xml --name web --memory 4G" >recipe.bash
  [ "$(grep -c '^ *ova-xml' recipe.bash)" -eq 3 ]
  bash -euo pipefail recipe.bash
  as_xe linux.xml >linux
  diff linux - <<'EXPECTED'
vm name-label: web
vm name-description: 
vm is-a-template: false
vm memory-static-max: 4294967296
vm VCPUs-max: 2
vm generation-id: 
vm tags: 
vm platform: acpi: true; apic: true; device-model: qemu-upstream-uefi; device_id: 0001; nx: true; pae: true; secureboot: auto; vga: std; videoram: 8; viridian: false
vm other-config: 
vm HVM-boot-policy: BIOS order
vm HVM-boot-params: firmware: uefi; order: cdn
vm power-state: Halted
vbd 0 type: Disk
vbd 0 mode: RW
vbd 0 bootable: true
vbd 0 empty: false
vbd 0 name-label: system
vbd 0 virtual-size: 21474836480
vbd 3 type: CD
vbd 3 mode: RO
vbd 3 bootable: false
vbd 3 empty: true
vif 0 network-name-label: Pool-wide network associated with eth0
vif 0 MAC: 
vif 0 MTU: 1500
EXPECTED
  as_xe server.xml >server
  diff server - <<'EXPECTED'
vm name-label: files
vm name-description: 
vm is-a-template: false
vm memory-static-max: 8589934592
vm VCPUs-max: 4
vm generation-id: 0:0
vm tags: 
vm platform: acpi: true; apic: true; cores-per-socket: 2; device-model: qemu-upstream-uefi; device_id: 0002; nx: true; pae: true; secureboot: true; vga: std; videoram: 8; viridian: true; viridian_apic_assist: true; viridian_crash_ctl: true; viridian_hcall_remote_tlb_flush: true; viridian_reference_tsc: true; viridian_stimer: true; viridian_time_ref_count: true
vm other-config: 
vm HVM-boot-policy: BIOS order
vm HVM-boot-params: firmware: uefi; order: cdn
vm power-state: Halted
vbd 0 type: Disk
vbd 0 mode: RW
vbd 0 bootable: true
vbd 0 empty: false
vbd 0 name-label: files 0
vbd 0 virtual-size: 68719476736
vbd 3 type: CD
vbd 3 mode: RO
vbd 3 bootable: false
vbd 3 empty: true
vif 0 network-name-label: Pool-wide network associated with eth0
vif 0 MAC: 
vif 0 MTU: 1500
EXPECTED
  as_xe windows-11.xml >windows-11
  diff <(sed -e 's/files/desk/' -e 's/cores-per-socket: 2/cores-per-socket: 4/' -e 's/acpi: true;/& acpi_laptop_slate: 1;/' \
    -e 's/MAC: .*/MAC: 00:16:3e:5a:01:02/' server
    printf 'vtpm is-unique: false\nvtpm is-protected: false\nvtpm content: \n') windows-11
  # What it packs into is an archive that our own reader finds nothing in.
  for xml in linux.xml server.xml windows-11.xml; do
    truncate -s "$(as_xe $xml | sed -n 's/^vbd 0 virtual-size: //p')" disk.raw
    xva-pack --scan --skip-holes --prefix Ref:000 --ova $xml disk.raw >$xml.xva
    run -0 xva-unpack --verify $xml.xva
    [[ $output == *"sound"* && $output != *warning* ]] || { echo "$output"; return 1; }
  done
}

@test "export-xva hands every option through, whatever it says" {
  qemu-img create -q -f qcow2 disk.qcow2 5M
  options=(--description $'a\nb' --cores-per-socket 2 --secure-boot --vtpm --cd --template --platform 'vga=a  "b" $(c)'
    --platform=x=--cd --other-config '* = ?' --tag 't, 1' --tag -v --generation-id none --network 'a, b,mac=00:16:3E:00:00:01'
    --network=-n)
  XVA_BIN_DIR=$(dirname "$(command -v ova-xml)") "$ROOT/scripts/export-xva" -o vm.xva --name 'n m' --vcpus=4 --memory 2G \
    --firmware uefi "${options[@]}" disk.qcow2
  xva-unpack --ova vm.xva >packed.xml
  # Without the blanks between an option and its value, which ova-xml would take for options of its own.
  ova-xml --name 'n m' --vcpus 4 --memory 2G --firmware uefi --disk Ref:000=5M --description=$'a\nb' --cores-per-socket=2 \
    --secure-boot --vtpm --cd --template --platform='vga=a  "b" $(c)' --platform=x=--cd --other-config='* = ?' --tag='t, 1' \
    --tag=-v --generation-id=none --network='a, b,mac=00:16:3E:00:00:01' --network=-n >told.xml
  [ "$(cat packed.xml)" = "$(cat told.xml)" ]
  shows told.xml "vm tags: t, 1, -v" "vif 0 MAC: 00:16:3e:00:00:01" "vif 1 network-name-label: -n" "vm is-a-template: true" \
    "vm other-config: * :  ?"
}

@test "every option of ova-xml is one of export-xva, but for --disk" {
  ova-xml --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | grep -vxE -- '--(disk|help|quiet|verbose|version)' >options
  [ "$(wc -l <options)" -ge 17 ]
  "$ROOT/scripts/export-xva" --help >help
  while read -r option; do
    grep -qE -- "$option\b" help || { echo "not in its help: $option"; return 1; }
    run "$ROOT/scripts/export-xva" "$option"
    [[ $output != *"unknown option"* ]] || { echo "$output"; return 1; }
  done <options
}

@test "what the user says of the platform goes over what would stand there" {
  ova-xml "${machine[@]}" --platform viridian=false --platform nx= --platform 'note=a=b, <c>' >a.xml
  shows a.xml "vm platform: acpi: true; apic: true; device-model: qemu-upstream-uefi; note: a=b, <c>; nx: ; pae: true; secureboot: false; viridian: false"
}

@test "a CD drive keeps device 3, and the disks go around it" {
  mapfile -t disks < <(printf -- '--disk=Ref:%03d=1M\n' {0..254})
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios --cd "${disks[@]:0:254}" >a.xml
  shows a.xml "vbd 2 type: Disk" "vbd 3 type: CD" "vbd 4 type: Disk" "vbd 254 type: Disk"
  [ "$(grep -c 'type: Disk' shown)" -eq 254 ]
  fails_with 2 ova-xml --name a --memory 1G --vcpus 1 --firmware bios --cd "${disks[@]}"
  ova-xml --name a --memory 1G --vcpus 1 --firmware bios "${disks[@]}" >a.xml
  shows a.xml "vbd 3 type: Disk" "vbd 254 type: Disk"
}

@test "only what a host would start is described, and what is wrong is said in one line" {
  refused() {
    fails_with 2 ova-xml "${machine[@]}" "${@:2}" || { echo "$*"; return 1; }
    [[ -z $output && $stderr == *"$1"* ]] || { echo "expected: $1, found: $stderr"; return 1; }
  }
  refused "found 3 cores per socket and 4 processors" --cores-per-socket 3
  refused "0 is not in 1.." --cores-per-socket 0
  refused "expected it as --cores-per-socket" --platform cores-per-socket=2
  refused "only one of it and --secure-boot" --secure-boot --platform secureboot=false
  refused "expected true, false or auto" --platform secureboot=yes
  refused "--firmware bios, or another model" --platform device-model=qemu-trad
  refused "the key vga of the platform is there twice" --platform vga=std --platform vga=cirrus
  refused "expected KEY=VALUE" --platform vga
  refused "is empty" --platform =std
  refused "control character U+000A" --platform $'vga=std\n'
  refused "control character U+0085" --other-config $'a=\xc2\x85'
  refused "xapi keeps this key for itself" --other-config default_template=true
  refused "the key of other-config a is there twice" --other-config a=1 --other-config a=2
  refused "tag a is there twice" --tag a --tag a
  refused "a tag is empty" --tag ''
  refused "control character U+001B" --tag $'\e[2J'
  refused "such as 00:16:3e:5a:01:02" --network lan,mac=00:16:3e:5a:01
  refused "such as 00:16:3e:5a:01:02" --network lan,mac=
  refused "that of one card" --network lan,mac=01:16:3e:5a:01:02
  refused "MAC address 00:16:3e:5a:01:0a is there twice" --network lan,mac=00:16:3e:5a:01:0a --network wan,mac=00:16:3E:5A:01:0A
  refused "the label of a network is empty" --network ,mac=00:16:3e:5a:01:02
  refused "expected none, or two numbers" --generation-id 1
  refused "cannot be used multiple times" --cd --cd
  fails_with 2 ova-xml --name a --memory 1G --vcpus 4 --firmware bios --disk Ref:000=1G --vtpm
  [[ $stderr == *"a BIOS has no TPM"* ]]
  fails_with 2 ova-xml --name a --memory 1G --vcpus 4 --firmware bios --disk Ref:000=1G --platform secureboot=auto
  fails_with 2 ova-xml --name a --memory 1G --vcpus 4 --firmware bios --disk Ref:000=1G --platform device-model=qemu-upstream-uefi
}
