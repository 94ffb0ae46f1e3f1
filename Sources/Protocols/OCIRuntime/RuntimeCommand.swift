// SPDX-License-Identifier: AGPL-3.0-or-later

/// A command of an OCI runtime.
public enum RuntimeCommand {}
