/* A frame in, at most one frame out, one reason, no buffer lost, and never an ALLOW: the world has no rules in force,
 * and the fuzzer has no key. */
#include <stdlib.h>

#include "tests/unit/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    static bool started;
    if (!started)
        world_start(&world);
    started = true;
    if (size == 0 || size > 1518)
        return 0;
    enum reason why;
    struct bytes reply = world_exchange(&world, (struct bytes){data, size}, 0, &why);
    enum ending ending = reason_ending(why);
    if (why == REASON_NONE || (ending == ENDING_DROP) != (reply.length == 0))
        abort();
    if (world.worker->counters.verdicts[VERDICT_ALLOW] ||
        world.worker->counters.verdicts[VERDICT_ALLOW_WITH_OBLIGATIONS])
        abort();
    port_sim_take(world.port);
    if (port_sim_held(world.port) != 0)
        abort();
    return 0;
}
