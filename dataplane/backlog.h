/* What waits for a worker: frames that its receive queue held beyond one burst. As long as the queue is short nothing
 * is kept here. When more than a burst waits, the queue is emptied into the backlog, so that the age of every frame is
 * known from above: it came after the queue was emptied last.
 *
 * A backlog that comes from a pause is worked off in its order. Where it grows to half its room, first the frames of
 * sources are dropped unheard that nobody knows: a flood of forged ones leaves no trace. One that is as long still, or
 * does not go away for BACKLOG_STANDING_NS, is overload: then each turn serves OVERLOAD_BURST frames and drops the rest
 * unheard, so that nothing is served late and dropping costs little. Which frames are served is decided by a glance at
 * their source address: sources that were admitted lately go before others, classes of priority in their order, one
 * frame of each source before the second of any, and the newest of equals. A few questions for our link address go
 * before all of them: a router that gets no answer to these sends us nothing any more.
 *
 * A source address may be forged: the glance chooses who is heard, it grants nothing. One a worker and port, not
 * shared; time is passed in; fixed memory. */
#pragma once

#include "dataplane/limits.h"
#include "dataplane/port.h"
#include "dataplane/request.h"

#define BACKLOG_STANDING_NS UINT64_C(20000000)

struct backlog;
struct backlog *backlog_new(uint64_t secret);
void backlog_free(struct backlog *backlog);

unsigned backlog_count(const struct backlog *backlog);
/* Room for at least one more burst. */
bool backlog_has_room(const struct backlog *backlog);
/* n frames that were received now; at most BURST_MAX, and only where there is room. */
void backlog_put(struct backlog *backlog, const struct frame frames[], unsigned n);
/* The receive queue was found empty, or shorter than a burst, at this time. */
void backlog_emptied(struct backlog *backlog, uint64_t now_ns);

/* The frames to serve now, at most BURST_MAX, in the order in which they came, each with the time before which it
 * cannot have arrived. */
unsigned backlog_take(struct backlog *backlog, uint64_t now_ns, struct frame frames[], uint64_t since_ns[]);
/* What is left and will not be served, at most BURST_MAX a call, 0 at its end: the caller frees it. */
unsigned backlog_take_excess(struct backlog *backlog, struct frame frames[]);
/* Whether the last backlog_take found overload. */
bool backlog_is_overload(const struct backlog *backlog);

/* The source was admitted: it is known for a minute or two, with its class of priority. */
void backlog_know(struct backlog *backlog, const struct endpoint *source, unsigned priority, uint64_t now_ns);
