/* SPDX-License-Identifier: AGPL-3.0-or-later
 * What a measured container runs: it waits until it is killed. Static, so that the container needs no other file. */
#include <unistd.h>

int main(void)
{
    for (;;)
        pause();
}
