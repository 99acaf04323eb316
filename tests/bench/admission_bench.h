/* The parts of bench_admission. Each runs in a process of its own, since DPDK's environment starts once a process, and
 * prints members of the JSON object on one line. Returns 0, or 1 with a line on standard error. */
#pragma once

int admission_oscore(void);
int admission_refuse(void);
int admission_overload(void);
