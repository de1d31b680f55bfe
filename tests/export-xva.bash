# Loaded, after common, by the .bats files about scripts/export-xva: it takes the programs under test, and builds none.

export XVA_BIN_DIR=${XVA_BIN_DIR:-$ROOT/target/release}

export_xva() { "$ROOT/scripts/export-xva" "$@"; }
