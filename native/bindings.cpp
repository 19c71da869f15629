// With feed.hpp, watched.hpp, int8_bindings.cpp and few_rows_bindings.cpp, what knows Python. Tensors come as addresses: carousel.kernels checks them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>

#include "call.hpp"
#include "dispatch.hpp"
#include "engine.hpp"
#include "feed.hpp"
#include "few_rows_bindings.hpp"
#include "int8_bindings.hpp"
#include "tile_time.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using carousel::Feed;
using carousel::Problem;
using carousel::Rows;
using carousel::Watched;

namespace {

// A pointer of a problem as a Python integer: Tensor.data_ptr(), or 0 for none.
template <auto member>
void pointer(nb::class_<Problem>& cls, const char* name, const char* text) {
    using Pointer = std::remove_reference_t<decltype(std::declval<Problem&>().*member)>;
    cls.def_prop_rw(
        name, [](const Problem& p) { return reinterpret_cast<uintptr_t>(p.*member); },
        [](Problem& p, uintptr_t address) { p.*member = reinterpret_cast<Pointer>(address); },
        text);
}

// A (T, B, ·) array: its address, the distances of two steps and of two rows in floats, and, of a
// packed sequence, the address of the numbers of rows before each step.
template <auto member>
void rows(nb::class_<Problem>& cls, const char* name, const char* text) {
    cls.def(
        name,
        [](Problem& p, uintptr_t data, int64_t step, int64_t row, uintptr_t steps) {
            p.*member = Rows{reinterpret_cast<float*>(data),
                             reinterpret_cast<const int64_t*>(steps), step, row};
        },
        "data"_a, "step"_a, "row"_a, "steps"_a = 0, text);
}

// The arrays of kernels.hpp, by their names.
void bind_arrays(nb::class_<Problem>& problem) {
    pointer<&Problem::order>(problem, "order", "[B] rows, longest first; 0: all have T steps");
    pointer<&Problem::lengths>(problem, "lengths", "[B] their lengths, in that order");
    pointer<&Problem::saved>(problem, "saved", "saved_floats(problem) for the backward pass");
#define CAROUSEL_ROWS_SETTER(name, text) rows<&Problem::name>(problem, "set_" #name, text);
#define CAROUSEL_POINTERS(name, shape)                                      \
    pointer<&Problem::name>(problem, #name, shape);                         \
    pointer<&Problem::d##name>(problem, "d" #name, "gradient of " #name);
    CAROUSEL_ROWS(CAROUSEL_ROWS_SETTER)
    CAROUSEL_WEIGHTS(CAROUSEL_POINTERS)
    CAROUSEL_FIRST_STATES(CAROUSEL_POINTERS)
    CAROUSEL_LAST_STATES(CAROUSEL_POINTERS)
#undef CAROUSEL_ROWS_SETTER
#undef CAROUSEL_POINTERS
}

carousel::Product product(int number) {
    if (number < 0 || number >= carousel::kProducts)
        throw std::invalid_argument("no product has this number");
    return static_cast<carousel::Product>(number);
}

carousel::Chance chance(double p) {
    return {static_cast<float>(p), static_cast<float>(1 / (1 - p)),
            static_cast<int32_t>(std::lround(p * (1 << 24)))};
}

carousel::Curve curve(const std::string& name) {
    const char* names[] = {"tanh", "softsign", "relu", "hard_tanh", "identity"};
    for (int i = 0; i < 5; ++i)
        if (name == names[i]) return static_cast<carousel::Curve>(i);
    throw std::invalid_argument("no activation '" + name + "'");
}

void set_options(Problem& p, const std::string& activation, const std::string& output,
                 bool hard_gates, const std::string& gates, bool peephole, bool coupled,
                 double zone_cell, double zone_state, double candidate, double product,
                 bool each_step, bool draws, int64_t seed, bool layer_norm, bool reset_first) {
    carousel::Options& o = p.options;
    o.plain = false;
    o.activation = curve(activation), o.output = curve(output);
    o.hard_gates = hard_gates, o.coupled = coupled, o.normalized = layer_norm;
    o.zone_cell = chance(zone_cell), o.zone_state = chance(zone_state);
    o.candidate = chance(candidate), o.product = chance(product);
    o.each_step = each_step, o.draws = draws, o.seed = static_cast<uint64_t>(seed);
    o.reset_first = reset_first;
    if (reset_first && (p.cell != carousel::Cell::gru || layer_norm))
        throw std::invalid_argument("the reset gate before the product is the plain GRU's alone");
    if (p.cell != carousel::Cell::lstm) return;
    if (gates.size() < 2 || gates.size() > 4 || gates.find('g') == std::string::npos)
        throw std::invalid_argument("no LSTM has the gates '" + gates + "'");
    o.gates = static_cast<int>(gates.size());
    int sum = 0, with_peephole = 0;
    for (char name : gates) {
        carousel::Gate& gate = name == 'i' ? o.i : name == 'f' ? o.f : name == 'o' ? o.o : o.g;
        gate.sum = sum++;
        if (peephole && name != 'g') gate.peephole = with_peephole++;
    }
}

// Packed weights on a batch: `x` and `y` as of rows() above, states by their addresses.
void forward_packed(const carousel::Packed& packed, int64_t T, int64_t B, int64_t count,
                    bool padded, const std::array<int64_t, 4>& x, const std::array<int64_t, 3>& y,
                    std::pair<uintptr_t, uintptr_t> order_and_lengths,
                    const std::vector<uintptr_t>& first, const std::vector<uintptr_t>& last,
                    int threads) {
    if (T < 1 || B < 0 || count < 0)
        throw std::invalid_argument("a size of the batch is out of range");
    carousel::Batch batch;
    batch.T = T, batch.B = B, batch.rows = count, batch.padded = padded;
    const auto* steps = reinterpret_cast<const int64_t*>(x[3]);
    batch.x = Rows{reinterpret_cast<float*>(x[0]), steps, x[1], x[2]};
    batch.y = Rows{reinterpret_cast<float*>(y[0]), steps, y[1], y[2]};
    batch.order = reinterpret_cast<const int64_t*>(order_and_lengths.first);
    batch.lengths = reinterpret_cast<const int64_t*>(order_and_lengths.second);
    for (uintptr_t address : first) batch.first.push_back(reinterpret_cast<const float*>(address));
    for (uintptr_t address : last) batch.last.push_back(reinterpret_cast<float*>(address));
    nb::gil_scoped_release others_may_run;
    packed.forward(batch, threads);
}

// Python's collector of cycles on objects that refer to others.
template <class Thing>
int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    return nb::inst_ready(self) ? nb::inst_ptr<Thing>(self)->visit(visit, arg) : 0;
}
template <class Thing>
int clear(PyObject* self) {
    nb::inst_ptr<Thing>(self)->clear();
    return 0;
}
template <class Thing>
PyType_Slot* collected() {
    static PyType_Slot slots[] = {{Py_tp_traverse, reinterpret_cast<void*>(traverse<Thing>)},
                                  {Py_tp_clear, reinterpret_cast<void*>(clear<Thing>)},
                                  {0, nullptr}};
    return slots;
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Compiled core of Carousel; use it through carousel.kernels.";
    m.def("active_isa", [] { return std::string(carousel::active_isa().name); },
          "Name of the instruction set in use.");
    m.def("supported_isas", &carousel::supported_isas,
          "Instruction sets this CPU can run, the preferred one first.");
    m.def(
        "known_isas",
        [] {
            std::vector<std::pair<std::string, std::string>> rows;
            for (const auto& isa : carousel::known_isas())
                rows.emplace_back(isa.name, isa.description);
            return rows;
        },
        "Every (name, description) this build knows, the preferred one first.");

    nb::class_<Problem> problem(m, "Problem",
                                "One direction of one layer over a batch: see native/kernels.hpp.");
    problem.def(
        "__init__",
        [](Problem* self, int cell, int64_t T, int64_t B, int64_t I, int64_t H, int64_t P,
           bool reverse, bool padded) {
            if (cell < 0 || cell >= carousel::kCells || T < 1 || B < 0 || I < 0 || H < 1 || P < 1)
                throw std::invalid_argument("a size of the problem is out of range");
            new (self) Problem;
            self->cell = static_cast<carousel::Cell>(cell);
            self->T = T, self->B = B, self->I = I, self->H = H, self->P = P;
            self->reverse = reverse, self->padded = padded;
        },
        "cell"_a, "T"_a, "B"_a, "I"_a, "H"_a, "P"_a, "reverse"_a, "padded"_a);
    bind_arrays(problem);
    problem.def("set_options", &set_options, "activation"_a, "output"_a, "hard_gates"_a, "gates"_a,
                "peephole"_a, "coupled"_a, "zone_cell"_a, "zone_state"_a, "candidate"_a,
                "product"_a, "each_step"_a, "draws"_a, "seed"_a, "layer_norm"_a,
                "reset_first"_a,
                "Make the cell one with options. gates: those the weights have, in order, such as "
                "'ifgo'; of the LSTM alone.");
    problem.def_rw("add_to_dx", &Problem::add_to_dx);
    problem.def_rw("segment", &Problem::segment);
    problem.def_rw("heads", &Problem::heads,
                   "Groups of units that read the states of their own alone; they divide H.");
    problem.def_rw("memory", &Problem::memory, "Coefficients that a unit of the S6 keeps.");
    problem.def_prop_rw(
        "product", [](const Problem& p) { return static_cast<int>(p.product); },
        [](Problem& p, int number) { p.product = product(number); },
        "How products multiply: 0 floats, 1 bfloat16 by the CPU's instruction, 2 by its twin.");
    nb::class_<carousel::Stepper>(m, "Stepper", "A stack fed one step at a time.")
        .def(
            "__init__",
            [](carousel::Stepper* self, std::vector<Problem> layers, int threads, nb::tuple) {
                new (self) carousel::Stepper(std::move(layers), threads);
            },
            "layers"_a, "threads"_a, "states"_a,
            nb::sig("def __init__(self, layers: collections.abc.Sequence[Problem], threads: int, "
                    "states: tuple[object, ...]) -> None"),
            "states: what owns the memory of the layers' states; it is kept.",
            nb::keep_alive<1, 4>())
        .def(
            "step",
            [](carousel::Stepper& self, uintptr_t x, uintptr_t y) {
                self.step(reinterpret_cast<const float*>(x), reinterpret_cast<float*>(y));
            },
            "x"_a, "y"_a, nb::call_guard<nb::gil_scoped_release>());
    nb::class_<carousel::Packed>(m, "Packed", "Weights of a stack, packed once for many calls.")
        .def(nb::init<std::vector<Problem>, int, int>(), "layers"_a, "directions"_a, "threads"_a,
             "layers: layer by layer, each with its directions; with weights and options alone.")
        .def("forward", &forward_packed, "steps"_a, "rows"_a, "count"_a, "padded"_a, "x"_a, "y"_a,
             "order_and_lengths"_a, "first"_a, "last"_a, "threads"_a,
             "x: address, distances of two steps and of two rows in floats, address of the rows "
             "before each step; y: the first three of these. count: rows of x in all. first, last: "
             "addresses of the states (layers, directions, B, ...); 0: zeros.")
        .def_prop_ro("bytes", &carousel::Packed::bytes)
        .def_prop_ro("calls", &carousel::Packed::calls, "Calls of forward so far.");
    m.def(
        "read_tensors_with",
        [](int64_t offset, const std::vector<uintptr_t>& functions,
           const std::array<int32_t, 3>& kinds) {
            using Api = carousel::TensorApi;
            if (!functions.empty() && functions.size() != Api::kFunctions)
                throw std::invalid_argument("another number of functions is needed");
            Api& api = carousel::tensor_api();
            api.offset = offset;
            api.dtype = kinds[0], api.device = kinds[1], api.layout = kinds[2];
            api.functions.clear();
            for (uintptr_t f : functions)
                api.functions.push_back(reinterpret_cast<Api::Function>(f));
        },
        "offset"_a, "functions"_a, "kinds"_a,
        "Read tensors through torch's C functions, or, without any, through Python: see "
        "carousel.kernels.reading. kinds: torch's numbers of float32, the CPU and strided layout.");
    nb::class_<Watched>(m, "Watched", nb::type_slots(collected<Watched>()),
                        "Weights that were packed, and whether they are so still.")
        .def(nb::init<nb::tuple>(), "weights"_a,
             nb::sig("def __init__(self, weights: tuple[object, ...]) -> None"))
        .def("unchanged", nb::overload_cast<nb::list>(&Watched::unchanged, nb::const_),
             "weights"_a, nb::sig("def unchanged(self, weights: list[typing.Any]) -> bool"),
             "True if these are the weights that were packed, and stand where they stood.");
    nb::class_<carousel::PlainCall>(m, "PlainCall",
                                    nb::type_slots(collected<carousel::PlainCall>()),
                                    "Calls of a layer whose weights are packed.")
        .def(
            "__init__",
            [](carousel::PlainCall* self, const carousel::Packed& packed, nb::object watched,
               nb::dict own, nb::dict inherited, nb::tuple absent,
               nb::tuple names, nb::tuple tensor_types, std::vector<int64_t> features,
               int64_t depth, bool batch_first) {
                if (!nb::isinstance<Watched>(watched))
                    throw std::invalid_argument("watched must be of the type Watched");
                if (features.size() < 3 || features.size() > 10)
                    throw std::invalid_argument("features are of x, of y and of 1 to 8 states");
                new (self) carousel::PlainCall(packed, watched,
                                               {own, inherited, absent, names}, tensor_types,
                                               std::move(features), depth, batch_first);
            },
            "packed"_a, "watched"_a, "own"_a, "inherited"_a, "absent"_a, "names"_a,
            "tensor_types"_a, "features"_a, "depth"_a, "batch_first"_a,
            nb::sig("def __init__(self, packed: Packed, watched: Watched, "
                    "own: dict[str, typing.Any], inherited: dict[str, typing.Any], "
                    "absent: tuple[str, ...], names: tuple[str, ...], "
                    "tensor_types: tuple[type, ...], features: collections.abc.Sequence[int], "
                    "depth: int, batch_first: bool) -> None"),
            nb::keep_alive<1, 2>())
        .def("answer", &carousel::PlainCall::answer, "kind"_a, "attributes"_a, "x"_a,
             "hx"_a.none(), "threads"_a,
             nb::sig("def answer(self, kind: type, attributes: dict[str, typing.Any], "
                     "x: object, hx: object, threads: int) -> typing.Any"),
             "The answer to x and hx of a layer of this class with these attributes; None for a call that needs a closer look.");
    nb::class_<Feed>(m, "Feed", "A stepper that reads and writes tensors.")
        .def(nb::init<carousel::Stepper&, nb::type_object, nb::capsule, const Watched&, nb::dict,
                      nb::tuple, nb::tuple, std::pair<int64_t, int64_t>,
                      std::pair<int64_t, int64_t>, nb::callable>(),
             "stepper"_a, "type"_a, "exchange"_a, "watched"_a, "parameters"_a, "names"_a,
             "quiet"_a, "x_shape"_a, "y_shape"_a, "make"_a,
             nb::sig("def __init__(self, stepper: Stepper, type: type, exchange: object, "
                     "watched: Watched, parameters: dict[str, typing.Any], "
                     "names: tuple[str, ...], "
                     "quiet: tuple[collections.abc.Mapping[typing.Any, typing.Any], ...], "
                     "x_shape: tuple[int, int], y_shape: tuple[int, int], "
                     "make: collections.abc.Callable[[], list[typing.Any]]) -> None"),
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 5>())
        .def("step", &Feed::step, "x"_a, "out"_a.none() = nb::none(),
             nb::sig("def step(self, x: object, out: object = None) -> typing.Any"),
             "The output, in `out` or memory of its own; None, and nothing done, unless x and out "
             "fit and the weights are as packed.");
    carousel::bind_int8(m);
    carousel::bind_few_rows(m);
    m.def("has_product", [](int number) { return carousel::has_product(product(number)); },
          "product"_a, "Whether the instruction set in use can multiply so: see Problem.product.");
    m.def("tile_speed", [](int number) { return carousel::tile_speed(product(number)); },
          "product"_a, "Sums a second of a tile, against those of floats; measured once.");
    m.def("prefer_large_pages", &carousel::prefer_large_pages, "address"_a, "bytes"_a,
          "Advise the system to back fresh memory with large pages.");
    m.def("saved_floats", &carousel::saved_floats, "problem"_a,
          "Floats that the forward pass saves for the backward pass.");
    m.def("forward", &carousel::forward, "problem"_a, "threads"_a,
          nb::call_guard<nb::gil_scoped_release>());
    m.def("backward", &carousel::backward, "problem"_a, "threads"_a,
          nb::call_guard<nb::gil_scoped_release>());
}
