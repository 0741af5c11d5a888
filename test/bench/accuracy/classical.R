# classical.R
#		Forecasts of R's package forecast, beside ours.
#
# usage: Rscript classical.R FILE METHODS
#
# FILE is a CSV without header: series, rows of a season, steps ahead, value, in order of
# time, training part only.  METHODS: of "ets arima theta".  Writes method, series, step,
# value to standard output, and keeps it in FILE.METHODS.md5sum, which is read instead when
# it is there.  Seasons above 24 are Fourier terms for auto.arima, and unknown to ets.
suppressPackageStartupMessages(library(forecast))
arguments <- commandArgs(trailingOnly = TRUE)
methods <- strsplit(arguments[2], " ")[[1]]
kept <- paste(c(arguments[1], methods, unname(tools::md5sum(arguments[1]))), collapse = ".")

point <- function(method, y, h) {
	season <- frequency(y)
	if (method == "ets") return(forecast(ets(if (season > 24) ts(as.numeric(y)) else y), h = h)$mean)
	if (method == "theta") return(thetaf(y, h = h)$mean)
	if (season <= 24) return(forecast(auto.arima(y), h = h)$mean)
	forecast(auto.arima(y, seasonal = FALSE, xreg = fourier(y, K = 3)), xreg = fourier(y, K = 3, h = h))$mean
}

if (!file.exists(kept)) {
	name <- c(ets = "R ets", arima = "R auto.arima", theta = "R thetaf")
	rows <- read.csv(arguments[1], header = FALSE, col.names = c("series", "season", "h", "value"))
	rows$series <- as.character(rows$series)
	out <- file(paste0(kept, ".part"), "w")
	for (part in split(rows, factor(rows$series, unique(rows$series)))) {
		y <- ts(part$value, frequency = part$season[1])
		for (method in methods) {
			value <- tryCatch(as.numeric(point(method, y, part$h[1])), error = function(e) NULL)
			if (!is.null(value))
				writeLines(paste(name[method], part$series[1], seq_along(value), format(value, digits = 10, trim = TRUE), sep = ","), out)
		}
	}
	close(out)
	invisible(file.rename(paste0(kept, ".part"), kept))
}
writeLines(readLines(kept))
