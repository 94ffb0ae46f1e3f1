/* SPDX-License-Identifier: AGPL-3.0-or-later
 * What a measured container runs: it waits until it is killed. Static, so that the container needs no other file. With arguments, as a
 * runtime has them, it ends at once: a runtime that takes no time of its own. */
#include <unistd.h>

int main(int count, char **arguments)
{
    (void)arguments;
    while (count < 2)
        pause();
    return 0;
}
