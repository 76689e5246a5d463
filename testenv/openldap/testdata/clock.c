/* Loaded into slapd, makes its clock show as many seconds more as the file named by
   TEST_CLOCK says, eight octets in the machine's order. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *off;

__attribute__((constructor)) static void begin(void) {
	int fd = open(getenv("TEST_CLOCK"), O_RDONLY);
	off = mmap(NULL, sizeof *off, PROT_READ, MAP_SHARED, fd, 0);
	if (fd < 0 || off == MAP_FAILED)
		_exit(125);
}

int clock_gettime(clockid_t id, struct timespec *ts) {
	int err = (int)syscall(SYS_clock_gettime, id, ts);
	if (err == 0 && id == CLOCK_REALTIME && off)
		ts->tv_sec += *off;
	return err;
}

time_t time(time_t *t) {
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *tz) {
	struct timespec ts;
	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
