// SPDX-License-Identifier: AGPL-3.0-or-later

// mountpoint-runc, with all that it finds and keeps on a host in one folder: for tests that need neither root nor an engine.

import ContainerMounts
import Glibc

guard let folder = getenv("SCRATCH_RUNTIME_FOLDER") else {
    print("scratch-runtime needs SCRATCH_RUNTIME_FOLDER in its environment")
    exit(2)
}
RuntimeProgram.exit(in: String(cString: folder))
