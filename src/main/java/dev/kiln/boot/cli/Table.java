package dev.kiln.boot.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Columns that stand under one another. A column that is empty in every row is left out. */
final class Table {
    private static final int MAX_CELL = 160;

    private final List<String> head;
    private final List<List<String>> rows = new ArrayList<>();

    Table(String... head) {
        this.head = List.of(head);
    }

    /** Cells are made safe for a terminal, and cut where they are very long. */
    void row(String... cells) {
        List<String> row = new ArrayList<>();
        for (String cell : cells) {
            row.add(TerminalText.line(cell, MAX_CELL));
        }
        rows.add(row);
    }

    boolean isEmpty() {
        return rows.isEmpty();
    }

    void print(PrintWriter out) {
        List<Integer> columns = new ArrayList<>();
        List<Integer> widths = new ArrayList<>(Collections.nCopies(head.size(), 0));
        for (int i = 0; i < head.size(); i++) {
            int column = i;
            int widest = rows.stream()
                    .mapToInt(row -> row.get(column).length())
                    .max()
                    .orElse(0);
            widths.set(i, Math.max(widest, head.get(i).length()));
            if (widest > 0) {
                columns.add(i);
            }
        }
        line(out, head, columns, widths);
        rows.forEach(row -> line(out, row, columns, widths));
    }

    private static void line(PrintWriter out, List<String> cells, List<Integer> columns, List<Integer> widths) {
        StringBuilder line = new StringBuilder();
        for (int column : columns) {
            String cell = cells.get(column);
            line.append(cell).append(" ".repeat(widths.get(column) - cell.length() + 2));
        }
        out.println(line.toString().stripTrailing());
    }
}
