/** Copula scale: u in (0, 1). Gaussian scale: z = quantile of the standard normal at u, which keeps both tails apart from 0 and 1. */
export type Scale = 'copula' | 'gaussian';
