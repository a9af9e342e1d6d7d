"""The process in which attacks run: `driver.py TIER FOLDER PATH…`. Prints what each did, one JSON line each."""

import os
import shutil
import sys
import time
import traceback
from pathlib import Path


def main() -> None:
    """Run every attack of the catalogue, or those that KIMICODE_ATTACKS names."""
    tier_name, folder, *path = sys.argv[1:]
    sys.path[:0] = path
    # Only now: `-I` leaves them out.
    import msgspec

    from kimicode.sandbox.boundary import Tier
    from kimicode.sandbox.probe import probe
    from tests.security.attacks import ATTACKS
    from tests.security.host import Deed
    from tests.security.world import World

    tier = Tier(tier_name)
    capabilities = probe()
    wanted = os.environ.get("KIMICODE_ATTACKS", "").split()
    for attack in ATTACKS:
        if wanted and attack.id not in wanted:
            continue
        world = World(Path(folder) / f"{tier.value}-{attack.id}", tier, capabilities)
        started = time.monotonic()
        try:
            harmed = attack.run(world)
            deed = Deed(attack.id, harmed, all(world.controls), " | ".join(world.evidence)[-1500:])
        except Exception:  # noqa: BLE001 - the boundary: the test reports it
            deed = Deed(attack.id, False, False, " | ".join(world.evidence)[-800:] + traceback.format_exc()[-1500:])
        sys.stdout.buffer.write(msgspec.json.encode(deed) + b"\n")
        sys.stdout.flush()
        sys.stderr.write(f"{time.monotonic() - started:.2f} s {attack.id}\n")
        shutil.rmtree(world.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
