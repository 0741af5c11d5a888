/*
 * nn_real.h
 *		The one number type of the engine, and the width of a lane group.
 *
 * float in the extension; double where NN_DOUBLE is defined (gradient checks
 * and golden values, where float could not tell a wrong term from rounding).
 *
 * Every activation is stored as [T][S][C][L]: time, site, channel, lane.  A
 * lane is one window of the batch; L is a multiple of NN_LANES (the last group
 * is padded), so every vector instruction works on whole lanes whatever the
 * layer does, and a sum over channels runs in one order on every CPU.
 */
#ifndef NN_REAL_H
#define NN_REAL_H

#ifdef NN_DOUBLE
typedef double nn_real;
#define NN_R(x) (x)
#else
typedef float nn_real;
#define NN_R(x) (x##f)
#endif

/* Lanes in a group: 16 floats are one AVX-512 register, one cache line. */
#define NN_LANES 16

/* Lanes of one tile at the most. */
#define NN_MAX_LANES 64

#endif							/* NN_REAL_H */
