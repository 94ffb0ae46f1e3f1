// SPDX-License-Identifier: AGPL-3.0-or-later

/// The version of this program; the same as docker-nfsd's.
let version = "0.2.0"
