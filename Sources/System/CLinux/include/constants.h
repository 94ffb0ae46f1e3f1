// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Constants of _GNU_SOURCE, which Swift's Glibc module hides. The kernel's headers have most of them, too, but beside types that clash
// with those of that module.

#ifndef CLINUX_CONSTANTS_H
#define CLINUX_CONSTANTS_H

extern const int CLINUX_AT_EMPTY_PATH;
extern const int CLINUX_AT_STATX_FORCE_SYNC;
extern const int CLINUX_CLONE_NEWCGROUP;
extern const int CLINUX_CLONE_NEWIPC;
extern const int CLINUX_CLONE_NEWNET;
extern const int CLINUX_CLONE_NEWNS;
extern const int CLINUX_CLONE_NEWUTS;
extern const int CLINUX_O_PATH;
extern const int CLINUX_RENAME_EXCHANGE;
extern const int CLINUX_RENAME_NOREPLACE;
extern const int CLINUX_SCM_CREDENTIALS;

#endif
