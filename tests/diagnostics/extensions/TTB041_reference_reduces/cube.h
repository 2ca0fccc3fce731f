ALWI void cube_init() {}
ALWI void cube(uint32_t dst) {}
