// SPDX-License-Identifier: AGPL-3.0-or-later

import Testing
import TestSupport

/// What only a kernel with NFS, a real Docker Engine and systemd can show. One machine at a time: they are emulated.
@Suite(.serialized, .needs(.machine)) enum MachineTests {}
