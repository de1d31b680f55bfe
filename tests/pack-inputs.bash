# What the tests of xva-pack pack: raw disks, extents, metadata.

# raw FILE SIZE [BLOCK...]: a disk whose numbered 1 MiB blocks begin with data.
raw() {
  local file=$1 size=$2 block
  shift 2
  truncate -s "$size" "$file"
  for block; do
    printf 'block %s of %s' "$block" "$file" | dd of="$file" bs=1M seek="$block" conv=notrunc status=none
  done
}

# extents SIZE BITS CLUSTERS: a document.
extents() {
  printf '{"virtual_size":%s,"cluster_bits":%s,"data_clusters":%s}\n' "$@"
}

# ova FILE [PREFIX=BYTES[=VBDTYPE[=SRTYPE]]]...: metadata with these disks.
ova() {
  python3 - "$@" > "$1" << 'PYTHON'
import sys
def struct(**fields):
    return "<struct>%s</struct>" % "".join(f"<member><name>{k}</name><value>{v}</value></member>" for k, v in fields.items())
def thing(kind, name, **fields):
    return "<value>%s</value>" % struct(**{"class": kind, "id": name, "snapshot": struct(**fields)})
objects = [thing("VM", "Ref:vm")]
for number, argument in enumerate(sys.argv[2:]):
    fields = argument.split("=")
    prefix, size, vbd, sr = fields + ["Disk", "user"][len(fields) - 2:]
    objects.append(thing("SR", f"Ref:sr{number}", content_type=sr))
    objects.append(thing("VDI", prefix, virtual_size=size, SR=f"Ref:sr{number}"))
    objects.append(thing("VBD", f"Ref:vbd{number}", VM="Ref:vm", VDI=prefix, type=vbd))
version = struct(hostname="h", date="d", product_version="1", product_brand="b", build_number="1", xapi_major="1",
                 xapi_minor="20", export_vsn="2")
print("<value>%s</value>" % struct(version=version, objects="<array><data>%s</data></array>" % "".join(objects)), end="")
PYTHON
}
