/* What scripts/bench holds xva-pack against: copies a file into the pipe on standard output as fast as two threads can, and
 * does nothing else. One reads 1 MiB at a time, the other one writes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, BUFFERS = 4 };

static char buffer[BUFFERS][BLOCK] __attribute__((aligned(4096)));
static ssize_t length[BUFFERS];
static sem_t empty, full;
static int input;

static void *reader(void *unused)
{
	for (unsigned i = 0;; i = (i + 1) % BUFFERS) {
		sem_wait(&empty);
		length[i] = read(input, buffer[i], BLOCK);
		ssize_t last = length[i];
		sem_post(&full);
		if (last <= 0)
			return unused;
	}
}

int main(int count, char **arguments)
{
	pthread_t thread;
	input = count == 2 ? open(arguments[1], O_RDONLY) : -1;
	fcntl(1, F_SETPIPE_SZ, 1 << 20);
	if (input < 0 || sem_init(&empty, 0, BUFFERS) || sem_init(&full, 0, 0) || pthread_create(&thread, 0, reader, 0))
		return 1;
	for (unsigned i = 0;; i = (i + 1) % BUFFERS) {
		sem_wait(&full);
		if (length[i] <= 0)
			return length[i] < 0;
		for (ssize_t done = 0; done < length[i];) {
			ssize_t written = write(1, buffer[i] + done, length[i] - done);
			if (written <= 0)
				return 1;
			done += written;
		}
		sem_post(&empty);
	}
}
