// SPDX-License-Identifier: AGPL-3.0-or-later
#define _GNU_SOURCE
#include "include/constants.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

const int CLINUX_AT_EMPTY_PATH = AT_EMPTY_PATH;
const int CLINUX_AT_STATX_FORCE_SYNC = AT_STATX_FORCE_SYNC;
const int CLINUX_CLONE_NEWCGROUP = CLONE_NEWCGROUP;
const int CLINUX_CLONE_NEWIPC = CLONE_NEWIPC;
const int CLINUX_CLONE_NEWNET = CLONE_NEWNET;
const int CLINUX_CLONE_NEWNS = CLONE_NEWNS;
const int CLINUX_CLONE_NEWUTS = CLONE_NEWUTS;
const int CLINUX_O_PATH = O_PATH;
const int CLINUX_RENAME_EXCHANGE = RENAME_EXCHANGE;
const int CLINUX_RENAME_NOREPLACE = RENAME_NOREPLACE;
const int CLINUX_SCM_CREDENTIALS = SCM_CREDENTIALS;
