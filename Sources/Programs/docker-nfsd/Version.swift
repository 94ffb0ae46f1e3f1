// SPDX-License-Identifier: AGPL-3.0-or-later

/// The version of this program; the Makefile's packages and CHANGELOG.md say the same.
let version = "0.2.0"
