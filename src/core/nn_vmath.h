/*
 * nn_vmath.h
 *		exp, tanh, sigmoid, softplus and GELU of a vector.
 *
 * Private to the kernel files.  In float: own polynomials without branches or
 * tables, the same operations on every instruction set.  Measured over all
 * ranges: sigmoid and tanh within 3 units in the last place (absolute error
 * below 1.5e-7), softplus 3 units, GELU an absolute error below 3e-7.  Results
 * saturate exactly (sigmoid(100) is 1, tanh(-20) is -1); NaN stays NaN.  Cost
 * with AVX-512: about 10 cycles for 16 values of tanh or sigmoid.
 *
 * In double: libm, one element at a time; that build checks, it does not race.
 *
 * The coefficients are least-maximum-error fits (iteratively reweighted least
 * squares on Chebyshev nodes, in 40 digits); each names its function, interval
 * and error.
 */
#ifndef NN_VMATH_H
#define NN_VMATH_H

#include "core/nn_simd.h"

/* 1 / sqrt(2 pi) and 1 / sqrt(2) */
#define NN_INV_SQRT_2PI 0.39894228040143267794
#define NN_INV_SQRT_2 0.70710678118654752440

#ifndef NN_DOUBLE

#define NN_SIGN_BIT INT32_MIN

NN_INLINE nn_vec
v_abs(nn_vec x)
{
	return (nn_vec) ((nn_ivec) x & ~NN_SIGN_BIT);
}

/* -|x| */
NN_INLINE nn_vec
v_minus_abs(nn_vec x)
{
	return (nn_vec) ((nn_ivec) x | NN_SIGN_BIT);
}

/* The magnitude of x with the sign of sign. */
NN_INLINE nn_vec
v_copy_sign(nn_vec x, nn_vec sign)
{
	return (nn_vec) (((nn_ivec) x & ~NN_SIGN_BIT) | ((nn_ivec) sign & NN_SIGN_BIT));
}

/*
 * With t = n ln 2 + r, |r| <= ln 2 / 2, n integer: returns e^r - 1, sets *scale
 * to 2^n.  For -87 <= t <= 0 (or NaN).
 */
NN_INLINE nn_vec
v_expm1_reduced(nn_vec t, nn_vec *scale)
{
	/*
	 * Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits; 127
	 * more make it the exponent of 2^n.
	 */
	const nn_vec magic = v_set1(12582912.0f + 127.0f);
	nn_vec		shifted = v_fma(t, v_set1(1.44269504f), magic);
	nn_vec		n = shifted - magic;
	nn_vec		r,
				p;

	/* ln 2 = 355/512 - 2.1219444e-4: n * 355/512 is exact also without fma. */
	r = v_fnma(n, v_set1(0.693359375f), t);
	r = v_fma(n, v_set1(2.12194440e-4f), r);
	*scale = (nn_vec) ((nn_ivec) shifted << 23);

	/* (e^r - 1 - r) / r^2, |r| <= 0.3477; error 1.4e-8 of e^r - 1 */
	p = v_set1(1.38824788e-3f);
	p = v_fma(p, r, v_set1(8.36671365e-3f));
	p = v_fma(p, r, v_set1(4.16672062e-2f));
	p = v_fma(p, r, v_set1(1.66665422e-1f));
	p = v_fma(p, r, v_set1(4.99999981e-1f));
	return v_fma(r * r, p, r);
}

/* e^t for t <= 0; 0 below -86.6, where results would near the denormals. */
NN_INLINE nn_vec
v_exp_negative(nn_vec t)
{
	const nn_vec limit = v_set1(-86.6f);
	nn_vec		scale;
	nn_vec		q = v_expm1_reduced(v_at_least(limit, t), &scale);

	return v_select_less(t, limit, v_zero(), v_fma(scale, q, scale));
}

/*
 * 1 / (1 + e^-x), from e = e^-|x| so that nothing overflows or cancels.  Division
 * beats Newton steps: the divider works beside the multipliers.
 */
NN_INLINE nn_vec
v_sigmoid(nn_vec x)
{
	const nn_vec one = v_set1(1.0f);
	nn_vec		e = v_exp_negative(v_minus_abs(x));

	return v_select_less(x, v_zero(), e, one) / (one + e);
}

/* (1 - e) / (1 + e) with e = e^-2|x|; from e - 1, so exact also near 0 */
NN_INLINE nn_vec
v_tanh(nn_vec x)
{
	nn_vec		t = v_at_least(v_set1(-20.0f), v_minus_abs(x) * v_set1(2.0f));
	nn_vec		scale;
	nn_vec		q = v_expm1_reduced(t, &scale);
	nn_vec		em1 = v_fma(scale, q, scale - v_set1(1.0f));

	return v_copy_sign(em1 / (v_set1(2.0f) + em1), x);
}

/* Statement for k = 0 .. 3, unrolled. */
#define NN_EACH_4(statement) \
	_Pragma("GCC unroll 4") \
	for (int k = 0; k < 4; k++) \
		statement

/*
 * The denominators d[k] = 1 + e^-x[k], k < 3, of three sigmoids 1 / d, and both
 * parts of a tanh (1 - e^-2x) / (1 + e^-2x): one division does for several where
 * they meet in products.  Four side by side, since one chain is all latency.
 *
 * With -x log2 e = n + r, |r| <= 1/2, e^-x = 2^n 2^r: fewer operations than in
 * v_sigmoid and v_tanh and the same absolute errors, but a sigmoid near 0 has none
 * of their relative precision, and ends at 2^-40, which keeps products of
 * denominators finite.  A tanh ends at exactly +-1.
 */
NN_INLINE void
v_gates_ratio(const nn_vec *x, nn_vec *d, nn_vec *numerator)
{
	static const float slope[4] = {-1.44269504f, -1.44269504f, -1.44269504f, -2.88539008f};
	static const float limit[4] = {27.725f, 27.725f, 27.725f, 13.8625f};
	const nn_vec magic = v_set1(12582912.0f + 127.0f);
	const nn_vec one = v_set1(1.0f);
	nn_vec		t[4], shifted[4], p[4], scale[4];

	NN_EACH_4(t[k] = v_at_most(v_set1(limit[k]), x[k]));
	NN_EACH_4(t[k] = v_at_least(v_set1(-limit[k]), t[k]));
	NN_EACH_4(shifted[k] = v_fma(t[k], v_set1(slope[k]), magic));
	NN_EACH_4(t[k] = v_fma(t[k], v_set1(slope[k]), magic - shifted[k]));
	NN_EACH_4(scale[k] = (nn_vec) ((nn_ivec) shifted[k] << 23));
	/* (2^r - 1) / r; error 2.1e-8 */
	NN_EACH_4(p[k] = v_fma(t[k], v_set1(1.54035128e-4f), v_set1(1.33907355e-3f)));
	NN_EACH_4(p[k] = v_fma(p[k], t[k], v_set1(9.61823749e-3f)));
	NN_EACH_4(p[k] = v_fma(p[k], t[k], v_set1(5.55035743e-2f)));
	NN_EACH_4(p[k] = v_fma(p[k], t[k], v_set1(2.40226498e-1f)));
	NN_EACH_4(p[k] = v_fma(p[k], t[k], v_set1(6.93147188e-1f)));
	NN_EACH_4(p[k] = p[k] * t[k]);
	/* 1 - e from 2^r - 1, so exact also near 0 */
	*numerator = v_fnma(scale[3], p[3], one - scale[3]);
	NN_EACH_4(d[k] = one + v_fma(scale[k], p[k], scale[k]));
}

/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|) */
NN_INLINE nn_vec
v_softplus(nn_vec x)
{
	nn_vec		u = v_exp_negative(v_minus_abs(x));
	nn_vec		p;

	/* ln(1 + u) / u, 0 <= u <= 1; error 4.8e-9 */
	p = v_set1(-3.24402343e-3f);
	p = v_fma(p, u, v_set1(1.98514544e-2f));
	p = v_fma(p, u, v_set1(-5.69595191e-2f));
	p = v_fma(p, u, v_set1(1.06036533e-1f));
	p = v_fma(p, u, v_set1(-1.53055916e-1f));
	p = v_fma(p, u, v_set1(1.96759377e-1f));
	p = v_fma(p, u, v_set1(-2.49541336e-1f));
	p = v_fma(p, u, v_set1(3.33299624e-1f));
	p = v_fma(p, u, v_set1(-4.99999024e-1f));
	p = v_fma(p, u, v_set1(9.99999995e-1f));
	return v_fma(u, p, v_at_least(v_zero(), x));
}

/*
 * Phi(-a) of the normal distribution, 0 <= a <= 16, as e^(-a^2/2) times a
 * polynomial in 1 / (1 + 0.3 a) (the form of Hastings 1955).  Sets *density to
 * e^(-a^2/2).
 */
NN_INLINE nn_vec
v_normal_tail(nn_vec a, nn_vec *density)
{
	nn_vec		t = v_set1(1.0f) / v_fma(a, v_set1(0.3f), v_set1(1.0f));
	nn_vec		p;

	/* Phi(-a) e^(a^2/2), 0 <= a <= 14; error 5.8e-8 */
	p = v_set1(3.83783066e-2f);
	p = v_fma(p, t, v_set1(-1.69166190e-1f));
	p = v_fma(p, t, v_set1(2.28660233e-1f));
	p = v_fma(p, t, v_set1(-7.65067035e-2f));
	p = v_fma(p, t, v_set1(1.42535627e-1f));
	p = v_fma(p, t, v_set1(9.46834834e-2f));
	p = v_fma(p, t, v_set1(1.21920351e-1f));
	p = v_fma(p, t, v_set1(1.19487688e-1f));
	p = v_fma(p, t, v_set1(7.16893223e-6f));
	*density = v_exp_negative(a * a * v_set1(-0.5f));
	return *density * p;
}

/* x Phi(x) = max(x, 0) - |x| Phi(-|x|); beyond 16 the second term is 0 */
NN_INLINE nn_vec
v_gelu(nn_vec x)
{
	nn_vec		a = v_at_most(v_set1(16.0f), v_abs(x));
	nn_vec		density;
	nn_vec		tail = v_normal_tail(a, &density);

	return v_fnma(a, tail, v_at_least(v_zero(), x));
}

/* d/dx x Phi(x) = Phi(x) + x phi(x) */
NN_INLINE nn_vec
v_gelu_slope(nn_vec x)
{
	nn_vec		a = v_at_most(v_set1(16.0f), v_abs(x));
	nn_vec		density;
	nn_vec		tail = v_normal_tail(a, &density);
	nn_vec		rest = v_fnma(a * v_set1((float) NN_INV_SQRT_2PI), density, tail);

	/* For x < 0 it is Phi(-a) - a phi(a), for x > 0 one minus that. */
	return v_select_less(x, v_zero(), rest, v_set1(1.0f) - rest);
}

#else							/* NN_DOUBLE */

#define NN_EACH(result, x, expression) \
	nn_vec		result; \
	for (int lane = 0; lane < NN_WIDTH; lane++) \
	{ \
		double		s = (x)[lane]; \
		result[lane] = (expression); \
	}

NN_INLINE nn_vec
v_exp_negative(nn_vec t)
{
	NN_EACH(y, t, exp(s));
	return y;
}

NN_INLINE nn_vec
v_sigmoid(nn_vec x)
{
	NN_EACH(y, x, s < 0 ? exp(s) / (1 + exp(s)) : 1 / (1 + exp(-s)));
	return y;
}

NN_INLINE nn_vec
v_tanh(nn_vec x)
{
	NN_EACH(y, x, tanh(s));
	return y;
}

NN_INLINE nn_vec
v_softplus(nn_vec x)
{
	NN_EACH(y, x, (s > 0 ? s : 0) + log1p(exp(-fabs(s))));
	return y;
}

NN_INLINE void
v_gates_ratio(const nn_vec *x, nn_vec *d, nn_vec *numerator)
{
	for (int k = 0; k < 3; k++)
	{
		NN_EACH(e, x[k], exp(s < -200 ? 200 : -s));
		d[k] = v_set1(1) + e;
	}
	d[3] = v_set1(1);
	*numerator = v_tanh(x[3]);
}

/* x Phi(x); Phi(-40) is 0, which keeps -inf * 0 away */
NN_INLINE nn_vec
v_gelu(nn_vec x)
{
	NN_EACH(y, x, s < -40 ? 0 : s * 0.5 * erfc(-s * NN_INV_SQRT_2));
	return y;
}

NN_INLINE nn_vec
v_gelu_slope(nn_vec x)
{
	NN_EACH(y, x, fabs(s) > 40 ? (s > 0 ? 1 : 0) :
			0.5 * erfc(-s * NN_INV_SQRT_2) + s * exp(-0.5 * s * s) * NN_INV_SQRT_2PI);
	return y;
}

#endif

#endif							/* NN_VMATH_H */
