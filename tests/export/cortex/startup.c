/* What a Cortex-M needs before main: a table of vectors, the floating-point unit switched on, and
   variables in memory. Prints and ends by semihosting, which QEMU answers. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern uint32_t _data_image, _data, _data_end, _bss, _bss_end;
extern void initialise_monitor_handles(void);
extern void _stack(void); /* its address is the end of the memory */
extern int main(void);

void reset(void) {
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* coprocessors 10 and 11 */
    memcpy(&_data, &_data_image, (size_t)((char *)&_data_end - (char *)&_data));
    memset(&_bss, 0, (size_t)((char *)&_bss_end - (char *)&_bss));
    initialise_monitor_handles();
    exit(main());
}

/* What the C library runs at the end. */
void _fini(void) {}

static void fault(void) { abort(); }

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    _stack, reset, fault, fault, fault, fault, fault,
};
