from django.contrib import admin

from exports.models import Export


@admin.register(Export)
class ExportAdmin(admin.ModelAdmin):
    list_display = ("at", "format", "state", "rows", "by")
    readonly_fields = ("format", "filters", "state", "rows_sha", "rows", "path", "by", "at")

    def has_add_permission(self, request: object) -> bool:
        return False
