// The only file that knows Python. Tensors come as addresses: carousel.kernels checks them.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>

#include "dispatch.hpp"
#include "dlpack.hpp"
#include "engine.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using carousel::Problem;
using carousel::Rows;

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

// A stepper fed with tensors as they are. To ask a tensor for its shape, type and address from
// Python takes longer than a small step.
class Feed {
    // Below so many multiply-adds, some 20 microseconds, a step keeps the interpreter: to get it
    // back from a thread that took it can take five milliseconds.
    static constexpr double kShort = 1e6;

public:
    // exchange: the capsule that tensors of `type` are read through. weights: those that were
    // packed, in `parameters` by these names; they move in memory when they are written to (see
    // carousel.kernels.watch). quiet: mappings that must stay empty.
    Feed(carousel::Stepper& stepper, nb::type_object type, nb::capsule exchange, nb::tuple weights,
         nb::dict parameters, nb::tuple names, nb::tuple quiet,
         std::pair<int64_t, int64_t> x_shape, std::pair<int64_t, int64_t> y_shape)
        : stepper_(stepper), type_(type), weights_(weights), parameters_(parameters),
          names_(names), quiet_(quiet), x_(x_shape), y_(y_shape) {
        const auto* table = static_cast<const carousel::dlpack::ExchangeTable*>(exchange.data());
        if (table->version.major == 1) view_ = table->view;
        for (nb::handle weight : weights_) {
            addresses_.push_back(address(weight));
            const auto shape = nb::cast<nb::tuple>(weight.attr("shape"));
            // Turned around in place, one of these alone keeps its shape and its address.
            const bool square = shape.size() == 2 && shape[0].equal(shape[1]);
            orders_.push_back(square ? order(weight) : -1);
        }
    }

    // Whether x and out fit and the weights are as they were packed: then the step is done.
    bool step(nb::handle x, nb::handle out) {
        const float* from = matrix(x, x_);
        float* to = from ? matrix(out, y_) : nullptr;
        if (!to || !unchanged()) return false;
        if (stepper_.products() < kShort) {
            stepper_.step(from, to);
        } else {
            nb::gil_scoped_release others_may_run;
            stepper_.step(from, to);
        }
        return true;
    }

private:
    float* matrix(nb::handle object, std::pair<int64_t, int64_t> shape) const {
        if (!view_ || object.type().ptr() != type_.ptr()) return nullptr;
        carousel::dlpack::Tensor view;
        if (view_(object.ptr(), &view) != 0) {  // a tensor without memory of its own
            PyErr_Clear();
            return nullptr;
        }
        return carousel::dlpack::matrix(view, shape.first, shape.second);
    }

    uintptr_t address(nb::handle weight) const {
        return nb::cast<uintptr_t>(weight.attr(address_)());
    }

    int order(nb::handle weight) const { return nb::cast<bool>(weight.attr(order_)()); }

    bool unchanged() const {
        for (nb::handle mapping : quiet_)
            if (nb::len(mapping) != 0) return false;
        size_t i = 0;
        for (nb::handle weight : weights_) {
            PyObject* own = PyDict_GetItemWithError(parameters_.ptr(), nb::handle(names_[i]).ptr());
            if (own != weight.ptr()) {
                PyErr_Clear();
                return false;
            }
            if (address(weight) != addresses_[i]) return false;
            if (orders_[i] >= 0 && order(weight) != orders_[i]) return false;
            ++i;
        }
        return true;
    }

    carousel::Stepper& stepper_;
    nb::object type_;
    nb::tuple weights_;
    nb::dict parameters_;
    nb::tuple names_, quiet_;
    nb::str address_{"const_data_ptr"}, order_{"is_contiguous"};
    std::vector<uintptr_t> addresses_;
    std::vector<int> orders_;
    std::pair<int64_t, int64_t> x_, y_;
    int (*view_)(void*, carousel::dlpack::Tensor*) = nullptr;
};

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
    nb::class_<carousel::Stepper>(m, "Stepper", "A stack fed one step at a time.")
        .def(nb::init<std::vector<Problem>, int>(), "layers"_a, "threads"_a)
        .def(
            "step",
            [](carousel::Stepper& self, uintptr_t x, uintptr_t y) {
                self.step(reinterpret_cast<const float*>(x), reinterpret_cast<float*>(y));
            },
            "x"_a, "y"_a, nb::call_guard<nb::gil_scoped_release>());
    nb::class_<Feed>(m, "Feed", "A stepper that reads and writes tensors.")
        .def(nb::init<carousel::Stepper&, nb::type_object, nb::capsule, nb::tuple, nb::dict,
                      nb::tuple, nb::tuple, std::pair<int64_t, int64_t>,
                      std::pair<int64_t, int64_t>>(),
             "stepper"_a, "type"_a, "exchange"_a, "weights"_a, "parameters"_a, "names"_a,
             "quiet"_a, "x_shape"_a, "y_shape"_a,
             nb::sig("def __init__(self, stepper: Stepper, type: type, exchange: object, "
                     "weights: tuple[object, ...], parameters: dict[str, typing.Any], "
                     "names: tuple[str, ...], "
                     "quiet: tuple[collections.abc.Mapping[typing.Any, typing.Any], ...], "
                     "x_shape: tuple[int, int], y_shape: tuple[int, int]) -> None"),
             nb::keep_alive<1, 2>())
        .def("step", &Feed::step, "x"_a, "out"_a,
             "Whether x and out fit and the weights are as packed; then the step is done.");
    m.def("prefer_large_pages", &carousel::prefer_large_pages, "address"_a, "bytes"_a,
          "Advise the system to back fresh memory with large pages.");
    m.def("saved_floats", &carousel::saved_floats, "problem"_a,
          "Floats that the forward pass saves for the backward pass.");
    m.def("forward", &carousel::forward, "problem"_a, "threads"_a,
          nb::call_guard<nb::gil_scoped_release>());
    m.def("backward", &carousel::backward, "problem"_a, "threads"_a,
          nb::call_guard<nb::gil_scoped_release>());
}
