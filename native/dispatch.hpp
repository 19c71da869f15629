// Which instruction set the kernels use, decided once per process.
//
// An implementation is four facts: a name, what it needs in words, a check of this CPU, and the
// kernels. The list is in order of preference. CAROUSEL_ISA names one explicitly; a name that is
// unknown, or that this CPU lacks, is an error that lists the choices: never a silent fallback.
#pragma once

#include <string>
#include <vector>

#include "few_rows.hpp"
#include "kernels.hpp"

namespace carousel {

struct Isa {
    const char* name;
    const char* description;
    bool (*supported)();
    bool (*has_bf16)();  // whether this CPU has Product::bf16 with it
    const KernelTable* table;
    const Kernels* scans;  // [kScanTables]
    RunRows few_rows;
    const Kernels& of(const Problem& p) const {
        return is_scan(p.cell) ? scans[scan_table_of(p)] : table->cells[table_of(p)];
    }
};

// Every ISA this build knows, the preferred one first.
const std::vector<Isa>& known_isas();

// The names this CPU can run, the preferred one first. Never empty.
std::vector<std::string> supported_isas();

// The ISA in use: CAROUSEL_ISA if set, else the first supported one.
// Throws std::invalid_argument, whose message lists the choices, if CAROUSEL_ISA cannot be used.
const Isa& active_isa();

}  // namespace carousel
