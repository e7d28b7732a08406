# SPDX-License-Identifier: ISC
"""Runs workflows in Keep's own engine, within one process: keep_rows.py FILE.

Run by ci_keep.py with the Python in which Keep is installed. FILE holds a JSON object: a workflow for each name. Prints
a JSON object: for each name what the console action printed, and the exception that ended the workflow.
"""

import contextlib
import io
import json
import sys

from keep.api.core.db import create_db_and_tables, try_create_single_tenant
from keep.api.core.dependencies import SINGLE_TENANT_UUID
from keep.parser.parser import Parser

create_db_and_tables()
try_create_single_tenant(SINGLE_TENANT_UUID)
found = {}
for name, workflow in json.load(open(sys.argv[1], encoding="utf-8")).items():
    printed, error = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            for parsed in Parser().parse(SINGLE_TENANT_UUID, workflow):
                parsed.run("execution")
        except Exception as e:  # what it was is what is asked
            error = "%s: %s" % (type(e).__name__, e)
    lines = [line for line in printed.getvalue().splitlines() if line.startswith("ALERT")]
    found[name] = {"alerts": lines, "error": error}
print(json.dumps(found))
