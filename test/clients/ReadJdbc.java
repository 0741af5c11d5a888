/*
 * JDBC (pgjdbc) reads the views: types, values, instants in two time zones.
 *
 *	java -cp postgresql.jar ReadJdbc.java FOLDER
 *
 * FOLDER has the rows that psql read, VIEW.rows, see clients.py.
 */
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.Types;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TimeZone;

public class ReadJdbc {
	static final String QUERY = "SELECT time, metric, value, lower, upper, kind FROM %s ORDER BY kind, metric, time";
	static int count, failed;

	static void ok(boolean passed, String name, Object detail) {
		count++;
		if (!passed)
			failed++;
		System.out.println((passed ? "" : "not ") + "ok " + count + " - " + name);
		if (!passed)
			System.out.println("# " + detail);
	}

	static Connection connect(String zone) throws Exception {
		// The driver gives the session the zone of the virtual machine.
		TimeZone.setDefault(TimeZone.getTimeZone(zone));
		Properties properties = new Properties();
		properties.setProperty("user", System.getenv("PGUSER"));
		properties.setProperty("password", System.getenv("LSTM_PASSWORD"));
		return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/clients", properties);
	}

	static String bits(ResultSet row, int column) throws Exception {
		Object value = row.getObject(column);
		return value == null ? "\\N" : String.format("%016x", Double.doubleToRawLongBits((Double) value));
	}

	static void read(Connection connection, String view, String zone, Path folder) throws Exception {
		List<String> rows = new ArrayList<>();
		boolean offsets = true;
		String name = view + " in " + zone;
		try (PreparedStatement statement = connection.prepareStatement(String.format(QUERY, view))) {
			// Text at first, binary from the sixth time on.
			for (int i = 0; i < 7; i++) {
				rows.clear();
				try (ResultSet row = statement.executeQuery()) {
					while (row.next()) {
						OffsetDateTime time = row.getObject(1, OffsetDateTime.class);
						offsets &= row.getTimestamp(1).toInstant().equals(time.toInstant());
						rows.add(ChronoUnit.MICROS.between(OffsetDateTime.of(1970, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC), time) + "\t"
							+ row.getString(2) + "\t" + bits(row, 3) + "\t" + bits(row, 4) + "\t" + bits(row, 5) + "\t" + row.getString(6));
					}
				}
				if (i == 0)
					ok(rows.equals(Files.readAllLines(folder.resolve(view + ".rows"), StandardCharsets.UTF_8)),
						name + ": rows are those of psql", rows.size() + " rows, first " + (rows.isEmpty() ? "none" : rows.get(0)));
			}
			ok(rows.equals(Files.readAllLines(folder.resolve(view + ".rows"), StandardCharsets.UTF_8)),
				name + ": rows in binary are those of psql", rows.size() + " rows");
			ok(offsets, name + ": time stamps and times with offset are one instant", "");
			ResultSetMetaData columns = statement.getMetaData();
			ok(columns.getColumnTypeName(1).equals("timestamptz") && columns.getColumnType(3) == Types.DOUBLE
				&& columns.getColumnType(4) == Types.DOUBLE && columns.getColumnType(2) == Types.VARCHAR
				&& columns.getColumnClassName(3).equals("java.lang.Double"), name + ": types",
				columns.getColumnTypeName(1) + " " + columns.getColumnTypeName(3));
		}
	}

	static void models(Connection connection) throws Exception {
		try (PreparedStatement statement = connection.prepareStatement(
				"SELECT name, version, deployed, trained_at, rows, joint FROM lstm.models WHERE name = ?")) {
			statement.setString(1, "wind");
			try (ResultSet row = statement.executeQuery()) {
				ok(row.next() && row.getObject(2) instanceof Integer && row.getObject(3) instanceof Boolean && row.getBoolean(3)
					&& row.getObject(5) instanceof Long && row.getObject(6) == null, "types of lstm.models", "");
			}
		}
		try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM wind WHERE time > ? AND kind = 'history'")) {
			statement.setObject(1, OffsetDateTime.parse("1978-12-29T00:00:00Z"));
			try (ResultSet row = statement.executeQuery()) {
				ok(row.next() && row.getLong(1) == 6, "an instant as parameter", row.getLong(1));
			}
		}
	}

	public static void main(String[] arguments) throws Exception {
		for (String zone : new String[] {"UTC", "Europe/Dublin"}) {
			try (Connection connection = connect(zone)) {
				for (String view : new String[] {"wind", "spring", "autumn"})
					read(connection, view, zone, Path.of(arguments[0]));
				models(connection);
			}
		}
		System.out.println("1.." + count);
		System.exit(failed > 0 ? 1 : 0);
	}
}
