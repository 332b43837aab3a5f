#!/usr/bin/env bash
# Makes half.tar.xz, half/ and whole/ anew, with the command of another commit:
#
#     make.sh /path/to/checkout/.venv/bin/nas
#
# They were made by e084424, the last commit of the flat nas/. half.tar.xz is what it left behind
# ($NAS_HOME with its database, and a site without plotly.js): `walls` was killed in its search,
# `ruled` in its ablation, after the first of two epochs, and `done` has met its plan. half/ is what
# its commands said of that, whole/ what they said once it had gone on.
set -euo pipefail
nas=$1
cd "$(dirname "$0")"
folder=$(mktemp -d)
cp walls.py ruled.py done.py "$folder"
golden=$PWD
cd "$folder"
export NAS_HOME=$folder/out OMP_NUM_THREADS=1

said() {
  for study in "${@:2}"; do
    mkdir -p "$golden/$1/$study"
    for what in status best trials effects; do
      "$nas" "$what" $study.py -f csv >"$golden/$1/$study/$what.csv"
    done
  done
}

"$nas" run done.py --local
NAS_FAILPOINT=before_epoch:9:kill:walls.fail "$nas" run walls.py --local || true
NAS_FAILPOINT=before_epoch:20:kill:ruled.fail "$nas" run ruled.py --local || true
# Whoever was killed is not heard of, whatever the clock says where this is read.
python3 -c "import sqlite3; c = sqlite3.connect('out/nas.db')
c.execute('UPDATE nas_drivers SET renewed = 0'); c.commit(); c.execute('VACUUM')"
said half walls ruled done
"$nas" report walls.py ruled.py done.py -o out/site
cp -r out half
rm -rf half/site/assets/plotly.min.js half/*/weights
tar --sort=name --owner=0 --group=0 --numeric-owner -C half -cJf "$golden/half.tar.xz" .
"$nas" run walls.py --local
"$nas" run ruled.py --local
said whole walls ruled
rm -rf "$folder"
