/* Functions that the C of a network may need, in sections: "== name: what it needs". The writer takes
   those that are called, and puts the name of the network in place of NET. */

== clamp:
/* x between -limit and limit; NaN stays NaN. */
static float NET_clamp(float x, float limit) {
    x = x < -limit ? -limit : x;
    return x > limit ? limit : x;
}

== exponential:
/* 2^n as a float, where n stands in the low bits of the float 1.5 * 2^23 + n. */
static float NET_power(float shifted) {
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&shifted, &bits, sizeof bits);
    return shifted;
}

/* e^(x factor) = 2^n 2^r with n whole, |r| <= 1/2 and 2^r = 1 + r q(r), for |x factor| <= 85:
   relative error below 1e-7 + 4e-8 |x factor|. Adding 1.5 * 2^23 rounds to a whole number. */
#define NET_EXPONENTIAL(x, factor)                                            \
    const float shifted = (x) * ((factor) * 1.44269504f) + 12582912.0f;       \
    const float rounded = shifted - 12582912.0f;                              \
    const float r = (x) * ((factor) * 1.44269504f) - rounded;                 \
    const float scale = NET_power(shifted);                                   \
    float q = 1.53550413e-4f;                                                 \
    q = q * r + 1.33990648e-3f;                                               \
    q = q * r + 9.6184304e-3f;                                               \
    q = q * r + 5.55033199e-2f;                                               \
    q = q * r + 2.40226477e-1f;                                               \
    q = q * r + 6.93147182e-1f

== exp: exponential clamp
/* e^x, for |x| <= 85 */
static float NET_exp_within(float x) {
    NET_EXPONENTIAL(x, 1.0f);
    return (r * q + 1.0f) * scale;
}

static float NET_exp(float x) { return NET_exp_within(NET_clamp(x, 85.0f)); }

== exp_minus: exponential
/* e^-x, for |x| <= 85 */
static float NET_exp_minus(float x) {
    NET_EXPONENTIAL(x, -1.0f);
    return (r * q + 1.0f) * scale;
}

== expm1_twice: exponential
/* e^2x - 1, of small x to all its digits, for |x| <= 42 */
static float NET_expm1_twice(float x) {
    NET_EXPONENTIAL(x, 2.0f);
    return scale * r * q + (scale - 1.0f);
}

== sigmoid: exp_minus clamp
/* 1 / (1 + e^-x), to 2e-7 */
static float NET_sigmoid(float x) { return 1.0f / (1.0f + NET_exp_minus(NET_clamp(x, 80.0f))); }

== tanh: expm1_twice clamp
/* (e^2x - 1) / (e^2x + 1), to 2e-7 */
static float NET_tanh(float x) {
    const float m = NET_expm1_twice(NET_clamp(x, 20.0f));
    return m / (m + 2.0f);
}

== softsign:
static float NET_softsign(float x) { return x / (1.0f + (x < 0.0f ? -x : x)); }

== relu:
static float NET_relu(float x) { return x < 0.0f ? 0.0f : x; }

== hard_tanh: clamp
static float NET_hard_tanh(float x) { return NET_clamp(x, 1.0f); }

== hard_sigmoid: clamp
/* min(max(x + 3, 0), 6) / 6 */
static float NET_hard_sigmoid(float x) { return (NET_clamp(x, 3.0f) + 3.0f) / 6.0f; }

== leaky_relu:
static float NET_leaky_relu(float x, float slope) { return x < 0.0f ? slope * x : x; }

== elu: exp
static float NET_elu(float x, float slope) {
    return x < 0.0f ? slope * (NET_exp(x) - 1.0f) : x;
}

== silu: sigmoid
static float NET_silu(float x) { return x * NET_sigmoid(x); }

== gelu: exp
/* x (1 + erf(x / sqrt 2)) / 2; erf as in Abramowitz and Stegun 7.1.26, to 2e-7 */
static float NET_gelu(float x) {
    const float z = (x < 0.0f ? -x : x) * 0.707106781f;
    const float t = 1.0f / (1.0f + 0.3275911f * z);
    const float p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f +
                    t * (-1.453152027f + t * 1.061405429f))));
    const float tail = 0.5f * p * NET_exp(-z * z);
    return x * (x < 0.0f ? tail : 1.0f - tail);
}

== candidate: sigmoid
/* x + 1/2 from zero on, the sigmoid below */
static float NET_candidate(float x) { return x < 0.0f ? NET_sigmoid(x) : x + 0.5f; }

== log:
/* The natural logarithm of a normal x > 0: x = 2^n m with m in [0.7, 1.41), and
   ln m = 2 artanh((m - 1) / (m + 1)); to 2e-7 (1 + |ln x|). */
static float NET_log(float x) {
    uint32_t bits;
    int n;
    float s, t;
    memcpy(&bits, &x, sizeof bits);
    n = (int)((bits - 0x3f3504f3u) >> 23);
    n = n > 255 ? n - 512 : n;
    bits -= (uint32_t)n << 23;
    memcpy(&x, &bits, sizeof x);
    s = (x - 1.0f) / (x + 1.0f);
    t = s * s;
    t = 2.0f * s * (1.0f + t * (1.0f / 3 + t * (1.0f / 5 + t * (1.0f / 7 + t * (1.0f / 9)))));
    return t + 0.693147182f * (float)n;
}

== softplus: exp log
/* ln(1 + e^x) */
static float NET_softplus(float x) {
    return (x > 0.0f ? x : 0.0f) + NET_log(1.0f + NET_exp(x < 0.0f ? x : -x));
}

== inverse_root:
/* 1 / sqrt(x) of a normal x > 0, by Newton's method; to 2e-7 of it. */
static float NET_inverse_root(float x) {
    const float half = 0.5f * x;
    uint32_t bits;
    float y;
    int i;
    memcpy(&bits, &x, sizeof bits);
    bits = 0x5f3759dfu - (bits >> 1);
    memcpy(&y, &bits, sizeof y);
    for (i = 0; i < 4; ++i) y = y * (1.5f - half * y * y);
    return y;
}

== root: inverse_root
/* sqrt(x) of x >= 0 */
static float NET_root(float x) { return x * NET_inverse_root(x); }

== total:
/* The sum of x, or of (x - mean)^2, in eight parts: these can be added at once. */
static float NET_total(const float *x, int n, float mean, int squares) {
    float part[8];
    int i, j;
    for (j = 0; j < 8; ++j) part[j] = 0.0f;
    for (i = 0; i + 8 <= n; i += 8)
        for (j = 0; j < 8; ++j) {
            const float d = x[i + j] - mean;
            part[j] += squares ? d * d : d;
        }
    for (; i < n; ++i) part[0] += squares ? (x[i] - mean) * (x[i] - mean) : x[i] - mean;
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

== normalise: inverse_root total
/* (x - mean) / sqrt(variance + eps) in place of x */
static void NET_normalise(float *x, int n, float eps) {
    const float mean = NET_total(x, n, 0.0f, 0) / (float)n;
    const float factor = NET_inverse_root(NET_total(x, n, mean, 1) / (float)n + eps);
    int i;
    for (i = 0; i < n; ++i) x[i] = (x[i] - mean) * factor;
}

== highest:
static float NET_highest(const float *x, int n) {
    float highest = x[0];
    int i;
    for (i = 1; i < n; ++i) highest = x[i] > highest ? x[i] : highest;
    return highest;
}
